"""Every message between the kernel and the page.

`to_page` and `to_kernel` define the messages; js/src/protocol.ts defines them in TypeScript, and no other module on
either side knows the wire format. tests/protocol/ has a golden file for each message, which both sides read and write.

The page sends `hello` (once per page, and again after a reload); the kernel answers with `hello` and then everything it
has: `trail`, `document`, `tokens`, `menu`, `steps`, `map`, `notes`, `explainers`, every `answer`, `comparison`,
`status`, `failed`, and columns. After that it sends news. Every message is idempotent: receiving it twice changes
nothing.

A request has one reply: the page numbers it with a number that no other page uses, and the kernel sends one reply with
this number, or `unanswered`. Every page receives every reply, and ignores numbers that it does not wait for. Replies
are not sent again after a hello.

`PROTOCOL` is raised with every change of a message: tests/protocol/versions.json has a digest of the messages of each
version. Each side tells the other its own number in `hello`, whose fields `type` and `protocol` never change. Where the
numbers differ, the kernel sends that page nothing but its hello, and the page says what to do.

Column messages have a running `seq`; the page acknowledges the highest it has, and the kernel keeps at most `WINDOW`
unacknowledged ones in flight.
"""

PROTOCOL = 2
WINDOW = 12
