/**
 * The anywidget module. A function, so that each model gets a store of its own: JupyterLab evaluates the module anew for
 * each model, marimo does not, and both call this once a model.
 */

import type { Initialize, Render } from "@anywidget/types";
import { createStore } from "./store";
import { connect, type Host, type Send } from "./transport";
import "./styles.css";
import { mount } from "./views/widget";

export default function widget(): { initialize: Initialize; render: Render } {
  const store = createStore();
  let send: Send = () => {};
  return {
    /** Once a model. Awaits nothing: messages are held back until it is done. */
    initialize({ model, signal }) {
      send = connect(model as Host, store, signal);
    },
    /** Once an output; what the store has is on the page when it returns. */
    render({ el, signal }) {
      mount({ store, send, signal, el });
    },
  };
}
