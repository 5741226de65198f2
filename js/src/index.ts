/**
 * The anywidget module. It exports a function, so that each model gets its own store: JupyterLab evaluates the module
 * for each model, marimo once, and both call the function once for each model.
 *
 * Browsers never free an evaluated module or its objects. So all models of a page share the first module of the same
 * build, and later ones stay almost empty.
 */

import type { Initialize, Render } from "@anywidget/types";
import type { Wire } from "./requests";
import { createStore } from "./store";
import { connect, type Host } from "./transport";
import "./styles.css";
import { mount } from "./views/widget";

/** A hash of the code, inserted by the build, which tells versions on one page apart. */
declare const BUILD: string;

type Module = () => { initialize: Initialize; render: Render };

function widget(): ReturnType<Module> {
  const store = createStore();
  let wire: Wire;
  return {
    /** Called for each model. It awaits nothing, because the host delays messages until it returns. */
    initialize({ model, signal }) {
      wire = connect(model as Host, store, signal);
    },
    /** Called for each output; when it returns, the page shows the store's contents. */
    render({ el, signal }) {
      mount({ store, ...wire, signal, el });
    },
  };
}

const page = globalThis as { [build: `saliency-widget ${string}`]: Module | undefined };
const first = page[`saliency-widget ${BUILD}`] ?? widget;
page[`saliency-widget ${BUILD}`] = first;
export default first;
