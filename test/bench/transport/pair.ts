/** Two processes of one system, its source and its sink, as their parent holds them; `using` ends both. */
import { type ChildProcess, fork } from 'node:child_process'
import { cpuMs } from '../machine.ts'
import type { SendCost } from './cases/send-cost.ts'
import type { Mark, Order, Times } from './end.ts'

export class Pair implements Disposable {
  readonly #source: ChildProcess
  readonly #sink: ChildProcess
  readonly #servers: readonly number[]

  private constructor(source: ChildProcess, sink: ChildProcess, servers: readonly number[]) {
    this.#source = source
    this.#sink = sink
    this.#servers = servers
  }

  /** @param servers processes in between, whose time counts as well */
  static async start(system: string, at: string, servers: readonly number[] = []): Promise<Pair> {
    const start = (role: string) =>
      fork(new URL('./end.ts', import.meta.url), [system, role, at], {
        execArgv: ['--conditions=wandist-source', '--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
    const pair = new Pair(start('source'), start('sink'), servers)
    try {
      await Promise.all([said(pair.#source), said(pair.#sink)])
    } catch (error) {
      pair[Symbol.dispose]()
      throw error
    }
    return pair
  }

  blast(bytes: number): Promise<unknown> {
    return order(this.#source, { do: 'blast', bytes })
  }

  stop(): Promise<unknown> {
    return order(this.#source, { do: 'stop' })
  }

  mark(): Promise<Mark> {
    return order(this.#sink, { do: 'mark' }) as Promise<Mark>
  }

  call(what: Omit<Extract<Order, { do: 'call' }>, 'do'>): Promise<Times> {
    return order(this.#source, { do: 'call', ...what }) as Promise<Times>
  }

  cost(seconds: number): Promise<SendCost> {
    return order(this.#source, { do: 'cost', seconds }) as Promise<SendCost>
  }

  /** Processor time that all processes have taken so far, ms. */
  cpuMs(): number {
    return [this.#source.pid!, this.#sink.pid!, ...this.#servers].reduce((sum, pid) => sum + cpuMs(pid), 0)
  }

  [Symbol.dispose](): void {
    this.#source.kill('SIGKILL')
    this.#sink.kill('SIGKILL')
  }
}

async function order(child: ChildProcess, what: Order): Promise<unknown> {
  child.send(what)
  return said(child)
}

/** A child's next word; rejects when it ends instead. */
export function said(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => {
      child.off('message', onMessage)
      reject(new Error(`${child.spawnargs.slice(-3).join(' ')} ended: ${code}`))
    }
    const onMessage = (word: unknown) => {
      child.off('exit', onExit)
      resolve(word)
    }
    child.once('message', onMessage).once('exit', onExit)
  })
}
