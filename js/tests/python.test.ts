/** The Python that shows exactly a view, and the view that Python sets. */

import { describe, expect, it } from "vitest";
import { noPython, pythonOf } from "../src/views/takeaway/python";
import { conversation, documentOf, mapOf, type Said, started } from "./help";

const given = (more: Said[] = []): Said[] => [
  ...conversation().map(
    ([message, scores]): Said =>
      message.type === "document" ? [documentOf(1, 5, { code: "'demo', 'The first'" }), scores] : [message, scores],
  ),
  ...more,
];

describe("the Python of a view", () => {
  it("names the text, the tokens that were written, the method and the objective", () => {
    const { store } = started(given());
    expect(pythonOf(store).split("\n")).toEqual([
      "import saliency_widget as sw",
      "",
      `w = sw.show('demo', 'The first', target_ids=[15, 16, 17], method="saliency", objective="probability")`,
      "",
    ]);
  });
  it("holds the settings of the method, and what a target is set against", () => {
    const settings: [string, string][] = [
      ["n_steps", "20"],
      ["baseline", "a,b"],
      ["abs", "True"],
      ["instead of", " Bush"],
    ];
    const { store } = started(given([[mapOf("m2", { method: "attention", settings, foil: " Bush" })]]));
    expect(pythonOf(store)).toContain(`method="attention", foil=" Bush", n_steps=20, baseline="a,b", abs=True)`);
  });
  it("pins, and looks at the map as the reader does: all but what is as at first", () => {
    const { store } = started(given());
    store.pin(1, 2);
    store.readBy("word");
    store.hide({ start: 1, end: 3 });
    store.measure.value = "raw";
    const lines = pythonOf(store).split("\n");
    expect(lines[3]).toBe("w.extent, w.selection = 2, 1");
    expect(lines[4]).toBe(`w.view = {"by": "word", "measure": "raw", "left_out": [[1, 3]]}`);
  });
  it("is taken over by another page of the same text", () => {
    const { store } = started(given());
    store.takeView({
      by: "word",
      measure: "raw",
      left_out: [[1, 3]],
      turned: [4, 5],
      scale: "threshold",
      threshold: 0.2,
    });
    expect([store.granularity.value, store.measure.value, store.scale.value]).toEqual(["word", "raw", "threshold"]);
    expect([store.threshold.value, store.hidden.value, store.inputs.value]).toEqual([
      0.2,
      [{ start: 1, end: 3 }],
      { start: 4, end: 5 },
    ]);
    expect(pythonOf(store)).toContain(`"turned": [4, 5]`);
  });
  it("is not there where no call shows it", () => {
    const { store } = started();
    expect(noPython(store)).toBe("there is no model behind it");
    expect(noPython(started(given()).store)).toBeNull();
  });
});

describe("the trait view", () => {
  it("is taken over once there is a text, and each time that it changes", () => {
    const { model, store } = started([]);
    model.view = { by: "word", pool: "max" };
    for (const [message, scores] of given()) model.hear(message, scores);
    expect([store.granularity.value, store.pool.value]).toEqual(["word", "max"]);
    store.readBy("token");
    model.view = { by: "sentence" };
    model.emit("change:view");
    expect([store.granularity.value, store.pool.value]).toEqual(["sentence", "sum"]);
  });
});
