"""Every message between the kernel and the page.

`to_page` and `to_kernel` say what each one holds; js/src/protocol.ts says the same in TypeScript, and nothing else on
either side knows the wire format. For each message tests/protocol/ has one golden file that both sides must read and
write.

A conversation: the page says `hello` (once per page, and again after a reload); the kernel answers with `hello` and
then everything it has: `trail`, `document`, `tokens`, `menu`, `steps`, `map`, `notes`, `explainers`, every `answer`,
`comparison`, `status`, `failed`, and columns. After that it sends what is new. Every message is idempotent: a page that
hears one twice is not changed by the second.

A question that has one answer is a request: the page gives it a number that no other page gives, and the kernel sends
one reply with this number, or `unanswered`. Every page hears every reply: it ignores a number that it does not wait
for. A page that says hello does not hear old replies again.

Column messages carry a running `seq`; the page acknowledges the highest it has, and the kernel keeps at most `WINDOW`
unacknowledged ones in flight.
"""

PROTOCOL = 1
WINDOW = 12
