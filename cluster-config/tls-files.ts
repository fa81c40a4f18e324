/**
 * Where one node's certificates are: the `tls` section of a configuration, with the node's name put in.
 */
import type { ClusterConfig } from './schema.ts'

/** Paths of three PEM files. */
export type TlsFiles = NonNullable<ClusterConfig['tls']>

/** The files of the node called `name`; `undefined` where nodes link over plain TCP. */
export function tlsFilesOf({ tls }: ClusterConfig, name: string): TlsFiles | undefined {
  return tls && eachFile(tls, file => file.replaceAll('{node}', name))
}

/** The same files, with something done to each path. */
export function eachFile({ ca, certificate, key }: TlsFiles, change: (file: string) => string): TlsFiles {
  return Object.freeze({ ca: change(ca), certificate: change(certificate), key: change(key) })
}
