// What front_end.py has in its pages: a clock that knows when something was painted, and ears for what happens.
(() => {
  /** The milliseconds of the page's clock once the next frame is painted; in `frame` those when its callbacks began. */
  const painted = (frame = () => {}) =>
    new Promise((resolve) => {
      requestAnimationFrame(() => {
        frame(performance.now());
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null); // comes after style, layout and paint
      });
    });

  // ── one event of the mouse: from its time stamp to the paint that follows ─────────────────────────────────────────
  let sample = null;
  const samples = [];
  function begin(event) {
    if (sample?.stamp === event.timeStamp) return;
    const own = { stamp: event.timeStamp, began: performance.now(), ended: 0, frame: 0, painted: 0, presented: null };
    own.ended = own.began;
    sample = own;
    samples.push(own);
    painted((now) => {
      own.frame = now;
    }).then((now) => {
      own.painted = now;
    });
  }
  function end(event) {
    if (sample?.stamp === event.timeStamp) sample.ended = performance.now();
  }
  const heard = { hover: [["pointerover", "pointermove"], ["pointermove", "mousemove"]], click: [["click"], ["click"]] };
  let listening = null;
  function listen(kind) {
    listening?.abort();
    listening = new AbortController();
    const { signal } = listening;
    samples.length = 0;
    for (const name of heard[kind][0]) addEventListener(name, begin, { signal, capture: true });
    for (const name of heard[kind][1]) addEventListener(name, end, { signal });
    // Chromium's own count, to when the frame was handed over; in steps of 8 ms, of no movement over one and the same element.
    const observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        const own = samples.find(({ stamp }) => Math.abs(stamp - startTime) < 0.2);
        if (own !== undefined) own.presented = Math.max(own.presented ?? 0, duration);
      }
    });
    observer.observe({ type: "event", durationThreshold: 16 });
    signal.addEventListener("abort", () => observer.disconnect());
  }
  function heardSamples() {
    listening?.abort();
    return samples.filter(({ painted }) => painted > 0);
  }

  // ── tasks that held up the page since the last time that somebody asked ───────────────────────────────────────────
  let tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
    type: "longtask",
  });
  function heldUp() {
    const found = tasks;
    tasks = [];
    return found;
  }

  // ── the cell's output: from when it is there to the first token ───────────────────────────────────────────────────
  function outputAndPaint(index) {
    const cell = jupyterapp.shell.currentWidget.content.widgets[index].node;
    let [output, built] = [null, null];
    return new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        const now = performance.now();
        if (output === null && cell.querySelector(".jp-OutputArea-child") !== null) output = now;
        if (built !== null || cell.querySelector(".sw-token") === null) return;
        built = now;
        observer.disconnect();
        painted().then((now) => resolve({ output, built, painted: now }));
      });
      observer.observe(cell, { childList: true, subtree: true });
    });
  }

  // ── what the page sends, and when a matrix is drawn ───────────────────────────────────────────────────────────────
  const said = { hello: null, ack: -1, ackedAt: null };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    const text = typeof data === "string" ? data : new TextDecoder("latin1").decode(data);
    if (text.includes('"type":"hello"')) Object.assign(said, { hello: performance.now(), ack: -1, ackedAt: null });
    const ack = /"type":"ack","seq":(\d+)/.exec(text);
    if (ack !== null) Object.assign(said, { ack: Number(ack[1]), ackedAt: performance.now() });
    return send.call(this, data);
  };
  const draws = [];
  const { clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...place) {
    if (this.canvas.className === "sw-matrix-canvas") {
      const draw = { began: performance.now(), painted: 0 };
      draws.push(draw);
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        draw.painted = performance.now();
      };
      port2.postMessage(null);
    }
    return clearRect.apply(this, place);
  };
  /** The page acknowledges a few columns at once. */
  const LATE = 3;
  /**
   * Once so many columns are acknowledged and nothing was drawn for 300 ms: when the last of the map on show was painted
   * (it comes first), and when all columns of all maps were here.
   */
  async function drawn(columns) {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (said.ack < columns - LATE || draws.length === 0) continue;
      if (performance.now() - Math.max(said.ackedAt, draws.at(-1).began) < 300) continue;
      return { origin: performance.timeOrigin, drawn: draws.at(-1).painted, kept: said.ackedAt, draws: draws.length };
    }
  }

  async function imported(source) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const began = performance.now();
    const { default: widget } = await import(url);
    widget();
    const took = performance.now() - began;
    URL.revokeObjectURL(url);
    return took;
  }

  window.bench = { painted, listen, heardSamples, heldUp, outputAndPaint, said, draws, drawn, imported };
})();
