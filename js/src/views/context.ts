/** The context that every view gets. */

import type { ReadonlySignal } from "@preact/signals-core";
import type { Ramp } from "../color";
import type { Wire } from "../requests";
import type { MapData, Store } from "../store";
import type { Tooltip } from "./tooltip";

export type ViewContext = Wire & {
  store: Store;
  /** Aborts when the view is removed, which ends every listener and effect. */
  signal: AbortSignal;
  ramp: ReadonlySignal<Ramp>;
  tooltip: Tooltip;
  /** The parent of popovers: inside the view's root, outside of elements that clip. */
  layer: HTMLElement;
  /** The map that colours a text, if it is not the one on show. */
  of?: ReadonlySignal<MapData | null>;
};
