/** Questions to the kernel that have one answer. */

import type { Replies, ToKernel, ToPage } from "./protocol";

type Asked<K> = Omit<Extract<ToKernel, { type: K }>, "request">;
/** Rejects where no reply comes: the kernel says why itself, or the page is gone. */
export type Request = <K extends keyof Replies>(question: Asked<K> & { type: K }) => Promise<Replies[K]>;
export type Send = (message: ToKernel) => void;
/** The way from a page to its kernel. */
export type Wire = { send: Send; request: Request };

/** `hear` takes a reply, and ignores one that nothing here waits for: every page hears every reply. */
export function createRequests(send: Send, signal: AbortSignal) {
  type Waiting = { resolve: (reply: never) => void; reject: (why: Error) => void };
  const open = new Map<number, Waiting>();
  // Each page begins elsewhere, and so does a page after a reload: a number is given once.
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
