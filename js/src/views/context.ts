/** The context that every view gets. */

import type { ReadonlySignal } from "@preact/signals-core";
import type { Ramp } from "../color";
import type { Wire } from "../requests";
import type { MapData, Store } from "../store";
import type { Tooltip } from "./tooltip";

export type ViewContext = Wire & {
  store: Store;
  /** Aborts when the view goes; every listener and effect hangs on it. */
  signal: AbortSignal;
  ramp: ReadonlySignal<Ramp>;
  tooltip: Tooltip;
  /** Where popovers live: inside the view's root, outside whatever clips. */
  layer: HTMLElement;
  /** The map that a text is coloured by, where it is not the one on show. */
  of?: ReadonlySignal<MapData | null>;
};
