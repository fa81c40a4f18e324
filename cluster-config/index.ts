/**
 * cluster-config: what the meta-cluster should look like. The folder's only door.
 */
export { type Address, parseAddress } from './address.ts'
export { ConfigError, type ConfigErrorCode, type Problem, printProblem } from './config-error.ts'
export { type ConsulSourceOptions, consulSource } from './consul.ts'
export { type ConsulOptions, configKey } from './consul-client.ts'
export { type PushOptions, pushConfig } from './consul-push.ts'
export { type Registration, type RegistrationOptions, registerNode } from './consul-registration.ts'
export { embeddedConfig, embeddedFile } from './embedded.ts'
export { type LoadedConfig, loadConfigFile } from './file.ts'
export { type FileSource, fileSource } from './file-source.ts'
export { type ConsulTimings, consulTimings } from './options.ts'
export {
  type ClusterConfig,
  type ClusterConfigInput,
  type NodeConfig,
  namePattern,
  type Role,
  roles,
  type Service,
  type ServiceConfig,
  services,
  toJsonSchema,
} from './schema.ts'
export { type ConfigSource, fixedSource, type SourceStatus } from './source.ts'
export { type TlsFiles, tlsFilesOf } from './tls-files.ts'
export {
  type Island,
  type NodePlace,
  Topology,
  type TopologyDifference,
  type TopologyNode,
} from './topology.ts'
export { clusterConfig } from './validate.ts'
export { parseConfig } from './yaml.ts'
