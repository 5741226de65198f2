"""Every message between the kernel and the page.

`to_page` and `to_kernel` say what each one holds; js/src/protocol.ts says the same in TypeScript, and nothing else on
either side knows the wire format. For each message tests/protocol/ has one golden file that both sides must read and
write.

A conversation: the page says `hello` (once per page, and again after a reload); the kernel answers with `hello` and
then everything it has: `trail`, `document`, `tokens`, `menu`, `steps`, `map`, its columns, `what_if`, `explainers`,
every `answer`, `comparison`, `status`, `failed`. After that it sends what is new, `heads` only then. Every message is
idempotent: a page that hears one twice is not changed by the second.

Column messages carry a running `seq`; the page acknowledges the highest it has, and the kernel keeps at most `WINDOW`
unacknowledged ones in flight.
"""

PROTOCOL = 1
WINDOW = 12
