// The arrows: index → views → store → protocol; color, layout and format import nothing of ours.
const from = (name, path, allowed) => ({
  name,
  severity: "error",
  from: { path },
  to: { path: "^js/src/", pathNot: allowed },
});
module.exports = {
  forbidden: [
    from("leaves-import-nothing", "^js/src/(color|layout|format|scores)\\.ts$", "^$"),
    from("scales-know-the-layout", "^js/src/scale\\.ts$", "^js/src/layout\\.ts$"),
    from("protocol-imports-nothing", "^js/src/protocol\\.ts$", "^$"),
    from("messages-know-the-protocol", "^js/src/messages\\.ts$", "^js/src/protocol\\.ts$"),
    from(
      "pieces-and-units-know-the-protocol",
      "^js/src/(pieces|units)\\.ts$",
      "^js/src/(protocol|format|layout)\\.ts$",
    ),
    from("answers-and-requests-know-the-protocol", "^js/src/(answers|requests)\\.ts$", "^js/src/protocol\\.ts$"),
    from("maps-hold-columns", "^js/src/map\\.ts$", "^js/src/(protocol|scores)\\.ts$"),
    from("questions-are-for-maps", "^js/src/questions\\.ts$", "^js/src/map\\.ts$"),
    from(
      "reading-is-derived",
      "^js/src/(reading|looks|pooling|text)\\.ts$",
      "^js/src/(protocol|map|looks|pooling|text|units|scale|scores|color|layout|first-word)\\.ts$",
    ),
    from(
      "store-knows-the-protocol",
      "^js/src/store\\.ts$",
      "^js/src/(protocol|pieces|answers|map|questions|looks|text|reading)\\.ts$",
    ),
    from("transport-feeds-the-store", "^js/src/transport\\.ts$", "^js/src/(protocol|messages|requests|store)\\.ts$"),
    from("what-is-taken-away-is-text", "^js/src/takeaway/", "^js/src/(protocol|scores|format)\\.ts$"),
    from(
      "views-read-the-store",
      "^js/src/views/",
      "^js/src/(views/|takeaway/|(store|map|protocol|requests|pieces|units|scale|scores|color|layout|format|hover)\\.ts$)",
    ),
    from("the-table-of-a-run-stands-beside", "^js/src/browse\\.ts$", "^js/src/(format|views/theme)\\.ts$|\\.css$"),
    from("static-stands-alone", "^js/src/static\\.ts$", "^js/src/(color|hover)\\.ts$"),
    from("hover-paints-numbers", "^js/src/hover\\.ts$", "^js/src/(color|format|scale)\\.ts$"),
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphans", severity: "error", from: { orphan: true, pathNot: "css" }, to: {} },
    {
      name: "index-is-the-top",
      severity: "error",
      from: { path: "^js/src/" },
      to: { path: "^js/src/(index|static|browse)\\.ts$" },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts", ".js"] },
  },
};
