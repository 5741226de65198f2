/** What is asked: the methods at hand, those behind the menu, the objective. */

import { describe, expect, it } from "vitest";
import { conversation, METHOD, mapOf, press, texts, viewing } from "./help";

const view = viewing();

describe("the header", () => {
  it("has three methods at hand, and the others behind a menu, with the reason where one cannot be used", () => {
    const { el, model } = view();
    expect(texts(el, ".sw-method")).toEqual(["Gradient", "Attention", "Occlusion", "more ▾"]);
    expect([...el.querySelectorAll("[aria-pressed=true]")].map((button) => button.textContent)).toEqual(["Gradient"]);
    el.querySelector<HTMLElement>(".sw-more")?.click();
    expect(texts(el, "[role=menuitemradio]")).toEqual([
      "AttnLRPNo rule for this model.",
      "RandomDarker: changing this word would change Washington more.",
    ]);
    el.querySelector<HTMLElement>("[role=menuitemradio][aria-disabled=true]")?.click();
    expect(model.sent.some(({ type }) => type === "ask")).toBe(false);
    el.querySelector<HTMLElement>("[role=menuitemradio][aria-disabled=false]")?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "random", objective: "probability" });
    expect(texts(el, ".sw-more")).toEqual(["Random ▾"]);
  });
  it("groups the methods behind the menu by family, in the kernel's order, and an unavailable one is never at hand", () => {
    const card = (id: string, family: string, reason: string | null = null) => ({
      ...METHOD,
      id,
      label: id,
      family,
      seconds: id === "smooth" ? 3 : id === "lrp" ? 0.3 : null,
      reason,
    });
    const methods = [
      card("saliency", "gradient"),
      card("attention", "attention", "Mamba has no attention."),
      card("occlusion", "perturbation"),
      card("integrated", "gradient"),
      card("rollout", "attention", "Mamba has no attention."),
      card("smooth", "gradient"),
      card("lrp", "relevance"),
    ];
    const { el } = view(
      conversation().map(([message, scores]) => [message.type === "menu" ? { ...message, methods } : message, scores]),
    );
    expect(texts(el, ".sw-method")).toEqual(["saliency", "occlusion", "integrated", "more ▾"]);
    const more = el.querySelector<HTMLElement>(".sw-more") as HTMLElement;
    more.click();
    expect(texts(el, "[role=menu] [role=group]")).toEqual([
      "gradient smoothDarker: changing this word would change Washington more. about 3 s",
      "attention attentionMamba has no attention.rolloutMamba has no attention.",
      "relevance lrpDarker: changing this word would change Washington more. less than a second",
    ]);
    expect(
      [...el.querySelectorAll("[role=menu] [role=group]")].map((group) => group.getAttribute("aria-label")),
    ).toEqual(["gradient", "attention", "relevance"]);
    const items = [...el.querySelectorAll<HTMLElement>("[role=menuitemradio]")];
    expect(items.map((item) => item.getAttribute("aria-disabled"))).toEqual(["false", "true", "true", "false"]);
    expect(document.activeElement).toBe(items[0]);
    press(items[0] as HTMLElement, "ArrowDown");
    expect(document.activeElement).toBe(items[1]); // one can read why not
    press(items[1] as HTMLElement, "End");
    expect(document.activeElement).toBe(items[3]);
    press(items[3] as HTMLElement, "Escape");
    expect([document.activeElement, el.querySelector("[role=menu]")]).toEqual([more, null]);
  });
  it("asks for another method with the objective of now, and presses its button at once", () => {
    const { el, model } = view();
    const [, attention] = el.querySelectorAll<HTMLElement>(".sw-method");
    attention?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "attention", objective: "probability" });
    expect(attention?.getAttribute("aria-pressed")).toBe("true");
    expect(el.querySelector<HTMLButtonElement>(".sw-objective button")?.disabled).toBe(true);
  });
  it("asks a method with an objective of its own for that, and goes back to the one before with another method", () => {
    const own = { ...METHOD, id: "shapley", label: "Shapley", objective: "logit" };
    const { el, model, store } = view();
    const menu = conversation().find(([{ type }]) => type === "menu")?.[0] as Record<string, unknown>;
    model.hear({ ...menu, methods: [METHOD, own, { ...METHOD, id: "random", label: "Random" }] });
    const click = (label: string) =>
      [...el.querySelectorAll<HTMLElement>(".sw-method")].find((button) => button.textContent === label)?.click();
    click("Shapley");
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "shapley", objective: "logit" });
    click("Random"); // before there is a map
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "random", objective: "probability" });
    click("Shapley");
    model.hear(mapOf("m2", { method: "shapley", objective: "logit" }));
    expect(store.map.value?.info.map).toBe("m2");
    click("Gradient");
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability" });
  });
  it("asks for another objective", () => {
    const { el, model } = view();
    el.querySelector<HTMLElement>(".sw-objective button")?.click();
    const items = [...el.querySelectorAll<HTMLElement>("[role=menuitemradio]")];
    expect(items.map(({ textContent }) => textContent)).toEqual(["probabilityhow likely it was", "logitits score"]);
    items[1]?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "logit" });
  });
});
