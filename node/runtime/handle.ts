/**
 * Typed addresses: what may be said to a service, and what it answers, checked where it is said.
 *
 * Types only come from the server's class; at run time a handle is a target and whoever sends. What comes over a link is
 * as its sender wrote it: a service that must not trust its callers checks what it gets.
 */
import type { Target } from '../../routing/index.ts'
import type { Sent } from '../../transport/index.ts'
import type { Server } from './server.ts'

declare const reply: unique symbol

/** A message and the type of its answer, as in `type CounterCall = Ask<{ kind: 'get' }, number>`. */
export type Ask<Message, Reply> = Message & { readonly [reply]?: Reply }

/** What a call of type `Message` is answered with; `unknown` where the service does not say. */
export type ReplyTo<Call, Message extends Call> = Call extends unknown
  ? Message extends Call
    ? Call extends { readonly [reply]?: infer Reply }
      ? Exclude<Reply, undefined>
      : unknown
    : never
  : never

/** The calls and casts that a class of servers takes. */
export type CallOf<Service> = Service extends Server<infer Call, infer _Cast, infer _Info> ? Call : never
export type CastOf<Service> = Service extends Server<infer _Call, infer Cast, infer _Info> ? Cast : never

/** Whoever sends: a node, or a process's context. */
export interface Sender {
  cast(target: Target, message: unknown): Sent
  call(target: Target, message: unknown, options?: { timeoutMs?: number }): Promise<unknown>
}

/** A target and what may be sent there. */
export interface Handle<Call, Cast> {
  readonly target: Target
  /** As `Node.cast`. */
  cast(message: Cast): Sent
  /** As `Node.call`; rejects with a `RoutingError`. */
  call<Message extends Call>(
    message: Message,
    options?: { timeoutMs?: number },
  ): Promise<ReplyTo<Call, Message>>
}

/** The handle of one service, by its server's class: `handle<Counter>(this.context, pid)`. */
export function handle<Service>(sender: Sender, target: Target): Handle<CallOf<Service>, CastOf<Service>> {
  return {
    target,
    cast: message => sender.cast(target, message),
    call: <Message extends CallOf<Service>>(message: Message, options?: { timeoutMs?: number }) =>
      sender.call(target, message, options) as Promise<ReplyTo<CallOf<Service>, Message>>,
  }
}

/** A service that is declared once, and imported by those who run it and those who use it. */
export interface DeclaredService<Service> {
  readonly name: string
  /** Whoever is in its group, or, with a key, whoever has that key's partition. */
  by(sender: Sender, key?: string): Handle<CallOf<Service>, CastOf<Service>>
}

/** Declares a service by the name of its group, or of its partitions: `const counters = declareService<Counter>('counters')`. */
export function declareService<Service>(name: string): DeclaredService<Service> {
  return {
    name,
    by: (sender, key) => handle(sender, key === undefined ? { group: name } : { service: name, key }),
  }
}
