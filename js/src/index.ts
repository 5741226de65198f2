/**
 * The anywidget module. A function, so that each model gets a store of its own: JupyterLab evaluates the module anew for
 * each model, marimo does not, and both call this once a model.
 *
 * No browser ever lets go of a module that was evaluated, nor of what it made. So all models of a page share the first
 * one of the same build, and the later ones stay as good as empty.
 */

import type { Initialize, Render } from "@anywidget/types";
import type { Wire } from "./requests";
import { createStore } from "./store";
import { connect, type Host } from "./transport";
import "./styles.css";
import { mount } from "./views/widget";

/** The build puts a hash of the code here: another version beside this one has another. */
declare const BUILD: string;

type Module = () => { initialize: Initialize; render: Render };

function widget(): ReturnType<Module> {
  const store = createStore();
  let wire: Wire;
  return {
    /** Called for each model. It awaits nothing: the host holds messages back until it is done. */
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
