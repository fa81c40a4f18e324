/** The figures that every system of this bench reports, by case. */
import type { Figure } from '../bench.ts'
import { dyingMembers, members } from './parameters.ts'

export const caseNames = ['join', 'visible', 'lookup', 'heal', 'memory'] as const
export type CaseName = (typeof caseNames)[number]

/** What one run of a case measured. */
export interface Measured {
  /** Joins per second, and joins per second until each group has been looked at as well. */
  readonly join: { readonly rate: number; readonly lookedRate: number }
  /** Joins per second, until the other node has seen each. */
  readonly visible: { readonly rate: number }
  /** Lookups per second. */
  readonly lookup: { readonly rate: number }
  /** Ms from the link's handshake until both nodes hold all again, and until both have looked at each group of the other. */
  readonly heal: { readonly wholeMs: number; readonly lookedMs: number }
  /** Bytes of a member: process and membership, the membership alone, and on the other node. */
  readonly memory: { readonly process: number; readonly membership: number; readonly other: number }
}

export function figuresOf(measured: Partial<Measured>): readonly Figure[] {
  const { join, visible, lookup, heal, memory } = measured
  const figure = (name: CaseName, metric: string, value: number, unit: string): Figure => ({
    case: name,
    parameters: { members },
    metric,
    value,
    unit,
  })
  return [
    ...(join
      ? [
          figure('join', 'rate', join.rate, 'joins/s'),
          figure('join', 'rate, looked at', join.lookedRate, 'joins/s'),
        ]
      : []),
    ...(visible ? [figure('visible', 'rate', visible.rate, 'joins/s')] : []),
    ...(lookup ? [figure('lookup', 'rate', lookup.rate, 'lookups/s')] : []),
    ...(heal
      ? [figure('heal', 'whole', heal.wholeMs, 'ms'), figure('heal', 'looked at', heal.lookedMs, 'ms')]
      : []),
    ...(memory
      ? [
          figure('memory', 'process and membership', memory.process, 'B'),
          figure('memory', 'membership', memory.membership, 'B'),
          figure('memory', 'on the other node', memory.other, 'B'),
        ]
      : []),
  ]
}

/** Routing decisions by key per second. */
export function routeFigure(rate: number): Figure {
  return { case: 'route', parameters: {}, metric: 'rate', value: rate, unit: 'decisions/s' }
}

/** The longest time for which the event loop of a node stood still when another one died. */
export function deathFigure(stallMs: number): Figure {
  return {
    case: 'death',
    parameters: { members: dyingMembers },
    metric: 'longest stall',
    value: stallMs,
    unit: 'ms',
  }
}
