/** The maps that can stand side by side, and those that do. */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import type { Beside, MapData, Store } from "../../store";
import { objectiveOf } from "../ask";
import { unitText } from "../words";

/** A map that can be chosen. `reason`: why its method cannot run here, or null. */
export type Option = { key: string; entry: Beside; name: string; reason: string | null };

/** A chosen map. The last one may be a difference, which cannot be chosen: it has no `entry`. */
export type Side = {
  key: string;
  entry: Beside | null;
  name: ReadonlySignal<string>;
  /** The unit of its numbers, and its settings where its name does not have them. */
  unit: ReadonlySignal<string>;
  map: ReadonlySignal<MapData | null>;
};

export const MOST = 4;

export function keyOf(store: Store, { method, objective, map }: Beside): string {
  return map ?? (store.usesObjective(method) ? `${method} ${objective}` : method);
}

/** The method, and what sets this map apart from the one that it would give without being told more. */
function nameOf(store: Store, { method, objective, map }: Beside): string {
  const isOther = store.usesObjective(method) && objective !== objectiveOf(store, method);
  const other = isOther ? store.menu.value?.objectives.find(({ id }) => id === objective)?.label : undefined;
  const label = store.methodCalled(method)?.label ?? method;
  return [
    label,
    ...(other === undefined ? [] : [other]),
    ...(map === undefined ? [] : settingsOf(store.maps.value.get(map))),
  ].join(" · ");
}

function settingsOf(map: MapData | null | undefined): string[] {
  return (map?.info.settings ?? []).map((setting) => setting.join(" "));
}

/** The maps that the reader chose; before that, the one on show. */
export function chosenOf(store: Store): readonly Beside[] {
  const { value: map } = store.map;
  if (store.beside.value.length > 0 || map === null) return store.beside.value;
  const { method, objective } = map.info;
  const newest = store.mapBeside({ method, objective });
  return [newest === map ? { method, objective } : { method, objective, map: map.info.map }];
}

/** All methods, each with the objective that it would be asked with; then other maps that are chosen or here: with other settings or a foil. */
export function optionsOf(store: Store): Option[] {
  const named = [
    ...(store.menu.value?.methods ?? []).map(({ id }) => ({ method: id, objective: objectiveOf(store, id) ?? "" })),
    ...chosenOf(store),
  ];
  const taken = new Set(named.map(store.mapBeside));
  const others = [...store.maps.value.values()]
    .filter((map) => !taken.has(map))
    .map(({ info: { method, objective, map } }) => ({ method, objective, map }));
  const options = new Map<string, Option>();
  for (const entry of [...named, ...others]) {
    const key = keyOf(store, entry);
    const reason = store.mapBeside(entry) === null ? (store.methodCalled(entry.method)?.reason ?? null) : null;
    if (!options.has(key)) options.set(key, { key, entry, name: nameOf(store, entry), reason });
  }
  return [...options.values()];
}

/** The maps side by side, and the difference where they are two. A side that stays is the same object. */
export function sidesOf(store: Store): ReadonlySignal<readonly Side[]> {
  let known = new Map<string, Side>();
  return computed(() => {
    const chosen = chosenOf(store);
    if (chosen.length < 2) return [];
    const sides = chosen.map((entry) => known.get(keyOf(store, entry)) ?? sideOf(store, entry));
    const [a, b] = sides;
    if (a !== undefined && b !== undefined && sides.length === 2)
      sides.push(known.get(differenceKey(a, b)) ?? differenceOf(a, b));
    known = new Map(sides.map((side) => [side.key, side]));
    return sides;
  });
}

function sideOf(store: Store, entry: Beside): Side {
  const map = computed(() => store.mapBeside(entry));
  return {
    key: keyOf(store, entry),
    entry,
    name: computed(() => nameOf(store, entry)),
    unit: computed(() => {
      const settings = entry.map === undefined ? settingsOf(map.value) : [];
      return [unitText(store, store.methodCalled(entry.method)), ...settings].join(" · ");
    }),
    map,
  };
}

const differenceKey = (a: Side, b: Side) => `${a.key} − ${b.key}`;

function differenceOf(a: Side, b: Side): Side {
  return {
    key: differenceKey(a, b),
    entry: null,
    name: computed(() => `${a.name.value} − ${b.name.value}`),
    unit: computed(() => `difference of shares · purple: more in ${a.name.value} · orange: more in ${b.name.value}`),
    map: computed(() => {
      const [first, second] = [a.map.value, b.map.value];
      return first && second && { ...first, columns: [], difference: [first, second] };
    }),
  };
}
