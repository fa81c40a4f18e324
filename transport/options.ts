/**
 * The mesh's options, with three presets: LAN (one datacenter, or two close ones), WAN (long, lossy distances) and TEST
 * (tiny, so that every limit is hit within a second).
 *
 * Related limits, so that whoever waits for the low watermark then finds room:
 *   queueBytesMax / 2 - controlReserveBytes >= fragmentBytesMax and headers   for a message in one frame; a longer one is taken there whatever
 *                                                                             its length, and may lift the queue over its bound
 *   queueBytesTotalMax >= 2 * queueBytesMax                                   one peer's full queue fits the pool
 *   arrivalBytesTotalMax >= 2 * frameBytesMax                                 one peer's longest messages, one in each data lane, can always come in
 *   queueBytesTotalMax / 2 >= queueBytesMax / 2 + frameBytesMax               so does the longest message on top of a half-full one
 */
import { TransportError } from './errors.ts'
import { fragmentBytesLimit, wholeFrameBytesMax } from './fragments.ts'

export interface MeshOptions {
  /** Where this node listens, `host:port` or `[v6]:port`; port 0 takes a free one. Absent: this node only dials. */
  readonly listen?: string

  /**
   * Shared secrets. The first proves us; any of them is accepted from others, which is how a secret is rotated
   * ([old, new] everywhere, then [new, old], then [new]). None: whoever knows the cluster id gets in.
   */
  readonly secrets: readonly string[]

  /**
   * Longest message that is sent or taken, as a frame with its header, bytes. The smaller of both ends' counts.
   * Above `fragmentBytesMax` it travels in fragments, and the queue takes it only at its low watermark; it may then hold
   * `queueBytesMax / 2` and one such message (besides the control reserve).
   * More: larger messages. Costs: two such messages a peer of memory for what comes in, and what is behind it in its lane waits.
   * Change it when `refused tooBig` grows in the ledger.
   */
  readonly frameBytesMax: number

  /**
   * Longest piece in which a message travels, bytes, 65,536 at most. Control messages are not cut, and never longer than 65,536 and a header.
   * More: fewer frames for large messages. Costs: other lanes wait behind such a piece.
   */
  readonly fragmentBytesMax: number

  /**
   * Whether everything on a live link carries a checksum, where the carrier does not see to that itself (TLS does). Both ends must want it.
   * More: what a bad switch or a bad memory did to a message ends the link instead of being delivered; TCP's own sixteen bits miss one such
   * accident in 65,536. Costs: some 20 ns a small message and 10 us for 64 KiB, at each end.
   */
  readonly checksBlocks: boolean

  /**
   * One peer's queue, bytes, headers and what the stream still holds included. Above its high watermark (this less
   * `controlReserveBytes`) data is refused; senders that wait come again below its low watermark (half of this).
   * Formula: the peer's rate (bytes/s) times the pause (s) that it may take without loss.
   * More: longer pauses pass unnoticed. Costs: memory per slow peer, and age of what arrives at last.
   * Change it when `refused nosuspend` grows while the peer is healthy.
   */
  readonly queueBytesMax: number

  /**
   * The queues of all peers together, bytes; the control reserves come on top. Half of it is guaranteed, in equal shares
   * (`queueBytesTotalMax / 2 / configured peers`); the other half goes to whoever needs more first, up to its `queueBytesMax`.
   * Formula: what the process may spend on peers that are slow at the same time; at least twice `queueBytesMax`.
   * More: more peers may pause at once without loss. Costs: that much memory when they do.
   * Change it when `refused nosuspend` grows for peers whose queue is far below its high watermark.
   */
  readonly queueBytesTotalMax: number

  /**
   * What long messages that are still coming in may hold, of all peers together, bytes; at least twice `frameBytesMax`. One beyond it is read and not kept.
   * Formula: how many of the longest messages may be under way at once, times `frameBytesMax`.
   * More: more peers may send huge messages at once. Costs: that much memory when they do.
   * Change it when `overflowed` grows in the ledger.
   */
  readonly arrivalBytesTotalMax: number

  /**
   * The part of the queue that only the control lane may use, bytes.
   * More: membership keeps flowing longer past a stuck data lane. Costs: room for data.
   * Change it when the control lane's `refused nosuspend` is not 0.
   */
  readonly controlReserveBytes: number

  /**
   * Most bytes handed to the stream in one write; a single longer frame still goes whole.
   * More: fewer system calls under load. Costs: a control frame waits behind at most this much of its own peer's data.
   */
  readonly writeBytesMax: number

  /**
   * A peer that stays silent this long is down, ms; found between 0.67 and 1.33 of it.
   * More: fewer false alarms across bad lines and long garbage collections. Costs: traffic to a dead node is lost for longer.
   * Change it when links end with `heartbeat-timeout` while the other node lives.
   */
  readonly heartbeatTimeoutMs: number

  /**
   * How long a link may take to answer when a newcomer claims its name, ms. Above the largest round trip, below `handshakeTimeoutMs`.
   * More: a slow but live link is not mistaken for a dead one. Costs: a restarted node waits longer to get in.
   */
  readonly probeTimeoutMs: number

  /**
   * Total time from dial or accept to a proven link, ms.
   * More: slow lines get in. Costs: a slow attacker holds a place of `handshakesMax` for longer.
   */
  readonly handshakeTimeoutMs: number

  /**
   * Accepted streams that may be in their handshake at once; the next one is closed as `busy`.
   * More: a mass reconnect finishes sooner. Costs: about 1 KiB and a file descriptor each, for strangers; over TLS
   * 80 KiB, which are OpenSSL's.
   * Change it when links end with `busy` after a restart of many nodes.
   */
  readonly handshakesMax: number

  /**
   * Dials that may be under way or in their handshake at once; the other peers wait for a sweep that finds room, in random order.
   * Formula: a node begins at most `dialsMax` links per sweep (a sixteenth of the heartbeat timeout, 100 ms at most). In a meta-cluster of N nodes
   * at most N * dialsMax dials are under way, and random order spreads them, so that a node is dialled by about dialsMax others at a time:
   * keep it well below `handshakesMax`, which turns away what comes in excess.
   * More: a mass reconnect finishes sooner. Costs: a higher peak of handshakes, over TLS about 1 ms of processor each, at both ends.
   * Change it when links end as `busy`, or with `handshake-timeout`, after many nodes started together.
   */
  readonly dialsMax: number

  /**
   * Redial: wait random(0, min(backoffMsMax, backoffMsMin * 2^n)) after the n-th failure in a row (full jitter).
   * Formula: `backoffMsMax` below the time for which routing keeps the members of a lost node (three quarters of the heartbeat timeout), or
   * flaps outlast it only because of our own waiting.
   * More: gentler on a node that comes back to a thousand peers. Costs: later links.
   * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
   */
  readonly backoffMsMin: number
  readonly backoffMsMax: number

  /**
   * A link must have lived this long before the count of failures goes back to 0, ms.
   * More: a flapping link is retried ever more rarely. Costs: after an honest failure, too.
   */
  readonly stableMs: number

  /**
   * How long a closing link may take to write its goodbye and hear the other's, ms; also bounds `stop()`.
   * More: exact last totals over slow lines. Costs: a slower stop.
   */
  readonly closeTimeoutMs: number

  /** How many closed links are remembered for the operator, beside the last one of each peer. Strangers get half of it at most when it is full. */
  readonly closedLinksMax: number
}

/** One datacenter, or several within a few ms. */
export const LAN: MeshOptions = {
  secrets: [],
  // 64 MiB, and the headers before it.
  frameBytesMax: 64 * 1024 * 1024 + 1024,
  fragmentBytesMax: 64 * 1024,
  checksBlocks: true,
  queueBytesMax: 32 * 1024 * 1024,
  queueBytesTotalMax: 256 * 1024 * 1024,
  arrivalBytesTotalMax: 512 * 1024 * 1024,
  controlReserveBytes: 1024 * 1024,
  writeBytesMax: 256 * 1024,
  heartbeatTimeoutMs: 4_000,
  probeTimeoutMs: 1_000,
  handshakeTimeoutMs: 5_000,
  handshakesMax: 128,
  dialsMax: 32,
  backoffMsMin: 100,
  backoffMsMax: 2_500,
  stableMs: 60_000,
  closeTimeoutMs: 1_000,
  closedLinksMax: 64,
}

/** Far datacenters: round trips up to half a second, losses, long pauses. */
export const WAN: MeshOptions = {
  ...LAN,
  queueBytesMax: 64 * 1024 * 1024,
  queueBytesTotalMax: 512 * 1024 * 1024,
  heartbeatTimeoutMs: 15_000,
  probeTimeoutMs: 3_000,
  backoffMsMin: 500,
  backoffMsMax: 10_000,
  closeTimeoutMs: 3_000,
}

/** Tiny, for tests: every limit is reached within a second. */
export const TEST: MeshOptions = {
  ...LAN,
  frameBytesMax: 256 * 1024,
  fragmentBytesMax: 16 * 1024,
  queueBytesMax: 1024 * 1024,
  queueBytesTotalMax: 4 * 1024 * 1024,
  arrivalBytesTotalMax: 2 * 1024 * 1024,
  controlReserveBytes: 64 * 1024,
  writeBytesMax: 64 * 1024,
  heartbeatTimeoutMs: 400,
  probeTimeoutMs: 100,
  handshakeTimeoutMs: 1_000,
  handshakesMax: 8,
  dialsMax: 4,
  backoffMsMin: 10,
  backoffMsMax: 200,
  stableMs: 200,
  closeTimeoutMs: 200,
}

/** Throws `bad-options` when limits contradict each other. */
export function checkOptions(options: MeshOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'number' && !(value > 0 && Number.isFinite(value)))
      throw new TransportError('bad-options', `mesh option ${name} must be a positive number: ${value}`)
  }
  if (options.fragmentBytesMax > fragmentBytesLimit)
    throw new TransportError(
      'bad-options',
      `fragmentBytesMax (${options.fragmentBytesMax}) must be at most ${fragmentBytesLimit}`,
    )
  const wholeBytesMax = Math.min(options.frameBytesMax, wholeFrameBytesMax(options.fragmentBytesMax))
  if (options.queueBytesMax / 2 - options.controlReserveBytes < wholeBytesMax)
    throw new TransportError(
      'bad-options',
      `half of queueBytesMax (${options.queueBytesMax}) less controlReserveBytes (${options.controlReserveBytes}) must hold one frame (${wholeBytesMax})`,
    )
  if (options.queueBytesTotalMax / 2 < options.queueBytesMax / 2 + options.frameBytesMax)
    throw new TransportError(
      'bad-options',
      `half of queueBytesTotalMax (${options.queueBytesTotalMax}) must hold half of queueBytesMax (${options.queueBytesMax}) and one frameBytesMax (${options.frameBytesMax})`,
    )
  if (options.queueBytesTotalMax < 2 * options.queueBytesMax)
    throw new TransportError(
      'bad-options',
      `queueBytesTotalMax (${options.queueBytesTotalMax}) must be at least twice queueBytesMax (${options.queueBytesMax})`,
    )
  if (options.arrivalBytesTotalMax < 2 * options.frameBytesMax)
    throw new TransportError(
      'bad-options',
      `arrivalBytesTotalMax (${options.arrivalBytesTotalMax}) must be at least twice frameBytesMax (${options.frameBytesMax})`,
    )
  if (options.probeTimeoutMs >= options.handshakeTimeoutMs)
    throw new TransportError(
      'bad-options',
      `probeTimeoutMs (${options.probeTimeoutMs}) must be below handshakeTimeoutMs (${options.handshakeTimeoutMs})`,
    )
}
