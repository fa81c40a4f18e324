/**
 * A real Consul agent for tests: one server of its own datacenter, on one loopback address and ports that were free.
 *
 * State lives in a temporary folder, so a killed agent that is started again is the same Consul. Agents end by their own
 * process handle, also when the test process ends without having stopped them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A running agent. */
export interface ConsulAgent {
  readonly datacenter: string
  /** Its HTTP address, for the client. */
  readonly http: string
  /** Its address in the gossip between datacenters, for `retryJoinWan` of another. */
  readonly wan: string
  /** GET (or another method) on its HTTP API; the parsed answer, `undefined` for 404. */
  api(path: string, method?: 'GET' | 'PUT' | 'DELETE', body?: string): Promise<unknown>
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same ports; `forget` loses the services that nodes registered with it. */
  restart(options?: { readonly forget?: boolean }): Promise<void>
  /** Ends it and removes its state. */
  stop(): Promise<void>
}

/** The ports of an agent, on its one address. */
export interface ConsulPlace {
  readonly datacenter: string
  readonly host: string
  readonly ports: {
    readonly http: number
    readonly server: number
    readonly serf_lan: number
    readonly serf_wan: number
  }
}

/** Finds free ports for an agent, so that others can be told of it before it runs. */
export async function placeConsul(datacenter: string, host: string): Promise<ConsulPlace> {
  const [http, server, lan, wan] = await freePorts(host, 4)
  return { datacenter, host, ports: { http: http!, server: server!, serf_lan: lan!, serf_wan: wan! } }
}

/** Starts an agent and waits until it has elected itself and answers questions. */
export async function startConsul(
  place: ConsulPlace,
  options: { readonly retryJoinWan?: readonly ConsulPlace[] } = {},
): Promise<ConsulAgent> {
  const binary = await consulBinary()
  const folder = await mkdtemp(join(tmpdir(), 'wandist-consul-'))
  const { host, ports, datacenter } = place
  const http = `${host}:${ports.http}`
  const settings = {
    datacenter,
    node_name: `consul-${datacenter}`,
    server: true,
    bootstrap_expect: 1,
    bind_addr: host,
    client_addr: host,
    data_dir: join(folder, 'data'),
    ports: { ...ports, dns: -1, grpc: -1, https: -1 },
    retry_join_wan: (options.retryJoinWan ?? []).map(other => `${other.host}:${other.ports.serf_wan}`),
    retry_interval_wan: '1s',
    performance: { raft_multiplier: 1 },
    disable_update_check: true,
    log_level: 'WARN',
  }
  const settingsFile = join(folder, 'agent.json')
  await writeFile(settingsFile, JSON.stringify(settings))
  let child: ChildProcess | undefined

  async function run(): Promise<void> {
    let log = ''
    const started = spawn(binary, ['agent', `-config-file=${settingsFile}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    process.once('exit', () => started.kill('SIGKILL'))
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', chunk => {
        log = (log + chunk).slice(-4000)
      })
    }
    const deadlineMs = performance.now() + 20_000
    while (!(await answers())) {
      if (started.exitCode !== null) throw new Error(`Consul ended with ${started.exitCode}: ${log}`)
      if (performance.now() > deadlineMs) throw new Error(`Consul is not ready: ${log}`)
      await delay(50)
    }
  }

  async function answers(): Promise<boolean> {
    const response = await fetch(`http://${http}/v1/kv/ready`).catch(() => undefined)
    await response?.body?.cancel()
    return response?.status === 404
  }

  async function kill(): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill('SIGKILL')
    await exited
  }

  async function stop(): Promise<void> {
    await kill()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }

  try {
    await run()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    datacenter,
    http,
    wan: `${host}:${ports.serf_wan}`,
    async api(path, method = 'GET', body) {
      const response = await fetch(`http://${http}/v1/${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
      })
      const text = await response.text()
      if (response.status === 404) return undefined
      if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text}`)
      return text === '' ? undefined : JSON.parse(text)
    },
    kill,
    async restart({ forget = false } = {}) {
      for (const kept of forget ? ['services', 'checks'] : [])
        await rm(join(folder, 'data', kept), { recursive: true })
      await run()
    },
    stop,
  }
}

/** The binary's path, fetched on the first use on a machine. */
async function consulBinary(): Promise<string> {
  const script = fileURLToPath(new URL('../../.ci/fetch-consul', import.meta.url))
  const { stdout } = await promisify(execFile)(script)
  return stdout.trim()
}

/** `count` ports that are free on `host` right now; held together, so that they differ. */
async function freePorts(host: string, count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, host))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => server.close() && once(server, 'close')))
  return ports
}
