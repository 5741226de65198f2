/** Requests to the kernel, each with one reply. */

import type { Replies, ToKernel, ToPage } from "./protocol";

type Asked<K> = Omit<Extract<ToKernel, { type: K }>, "request">;
/** Sends a request. Rejects if no reply comes: the kernel sends the reason itself, or the page is closed. */
export type Request = <K extends keyof Replies>(question: Asked<K> & { type: K }) => Promise<Replies[K]>;
export type Send = (message: ToKernel) => void;
/** The functions by which a page talks to its kernel. */
export type Wire = { send: Send; request: Request };

/** Returns `request`, and `hear` for replies. Every page receives every reply, so unknown ones are ignored. */
export function createRequests(send: Send, signal: AbortSignal) {
  type Waiting = { resolve: (reply: never) => void; reject: (why: Error) => void };
  const open = new Map<number, Waiting>();
  // A random start keeps the numbers of all pages, and of a page after a reload, apart.
  let last = Math.floor(Math.random() * 2 ** 52);

  const request = (question: object) =>
    new Promise<never>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      last++;
      open.set(last, { resolve, reject });
      send({ ...question, request: last } as ToKernel);
    });

  function hear(reply: ToPage & { request: number }): void {
    const waiting = open.get(reply.request);
    open.delete(reply.request);
    if (reply.type === "unanswered") waiting?.reject(new Error("The kernel has no answer."));
    else waiting?.resolve(reply as never);
  }

  signal.addEventListener("abort", () => {
    for (const { reject } of open.values()) reject(signal.reason);
    open.clear();
  });
  return { request: request as Request, hear };
}
