/**
 * How a drained node's next creation is brought up: by a command of the operator's, or by the `wand dev up` that started
 * the node.
 */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { askDev } from '../dev/control.ts'

/** A way to replace nodes. Both reject with one line that says why not. */
export interface Replacement {
  /** Just before the node is asked to drain: what must be known of it as long as it runs. */
  prepare(node: string): Promise<void>
  /** Brings the next creation of a drained node up. */
  replace(node: string): Promise<void>
}

/** How often a child that still ends is looked at again. */
const LOOK_MS = 100

/**
 * Runs a shell command for each node, `{node}` replaced by its name, in a process group of its own. What it prints goes
 * to standard error. It is done when the shell has ended, whatever it left running.
 * @param timeoutMs a command that takes longer is killed, with its group
 */
export function replaceByCommand(command: string, timeoutMs: number): Replacement {
  return {
    prepare: async () => {},
    replace: node => runShell(command.replaceAll('{node}', node), timeoutMs),
  }
}

function runShell(line: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const shell = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', 2, 2] })
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
    }, timeoutMs)
    shell.on('error', error => {
      clearTimeout(timer)
      reject(new Error(`exec "${line}": ${error.message}`))
    })
    shell.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve()
      else if (timedOut) reject(new Error(`exec "${line}": not done after ${timeoutMs / 1_000} s`))
      else reject(new Error(`exec "${line}": ${signal ?? `exit ${code}`}`))
    })
  })
}

/**
 * Asks the `wand dev up` of this run directory to start its child again.
 * @param goneMs how long a drained child may still take to end
 * @throws DevControlError `absent` when none runs
 */
export async function replaceInDev(runDirectory: string, goneMs: number): Promise<Replacement> {
  const childOf = async (node: string) => {
    const children = await askDev(runDirectory, { path: '/children' })
    const child = children.find(child => child.node === node)
    if (child === undefined) throw new Error(`dev up has no such node: "${node}"`)
    return child
  }
  await askDev(runDirectory, { path: '/children' })
  /** The process that was asked to drain, by node. */
  const pids = new Map<string, number | undefined>()
  return {
    async prepare(node) {
      pids.set(node, (await childOf(node)).pid)
    },
    async replace(node) {
      for (const endMs = performance.now() + goneMs; ; await sleep(LOOK_MS)) {
        const child = await childOf(node)
        // A child that died in its drain has been started again already.
        if (child.state === 'running' && child.pid !== pids.get(node)) return
        if (child.state === 'stopped') {
          await askDev(runDirectory, { path: '/start', node })
          return
        }
        if (performance.now() >= endMs)
          throw new Error(`its process has not ended: ${child.state}, pid ${child.pid}`)
      }
    },
  }
}
