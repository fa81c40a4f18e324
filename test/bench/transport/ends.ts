/**
 * The two ends of a system that runs in Node.js, as the cases see them: one sends and calls, one receives and answers.
 *
 * `end.ts` runs one of them in a process of its own; `pair.ts` starts both and drives them.
 */

/** Sends; lives in the source's process. */
export interface Source {
  /** Sends one message from one of the senders to its receiver. What the system refuses is not counted as sent. */
  send(sender: number, message: Uint8Array): void
  /** Resolves when the system should get more, after at least one turn of the loop: its own back-pressure. */
  pace(): Promise<void>
  /** Sends one message and resolves with its echo. */
  call?(message: Uint8Array): Promise<unknown>
}

/** Receives; lives in the sink's process. */
export interface Sink {
  /** Messages that arrived and were decoded so far. */
  received(): number
}

export interface Ends {
  /** `at` is what the system's `prepare` said: ports, or servers. Both ends are started at once. */
  source(at: string): Promise<Source>
  sink(at: string): Promise<Sink>
}
