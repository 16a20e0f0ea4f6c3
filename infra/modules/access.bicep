metadata description = 'The shape of access.json, and the names of what is deployed for it.'

@export()
@description('A function app, the identities attached to it, the one that its package is stored under, and the queues that trigger its functions.')
type App = {
  name: string
  identities: string[]
  package: string
  trigger: { identity: string, queues: string[] }?
  status: string?
}

@export()
@description('A key, and the vault it lives in.')
type Key = { name: string, vault: string }

@export()
@description('A secret, the vault it lives in, and whether each deployment writes its value.')
type Secret = { name: string, vault: string, deployed: bool? }

@export()
@description('A virtual machine and the identities attached to it.')
type Machine = { name: string, identities: string[], systemIdentity: bool }

@export()
@description('A queue, and where its messages go without anybody taking them.')
type Queue = {
  name: string
  duplicateDetection: string?
  lockDuration: string?
  maxDeliveryCount: int?
  forwardTo: string?
  forwardDeadLettersTo: string?
}

@export()
@description('What an identity may do with a key.')
type KeyGrant = { identity: string, vault: string, key: string, operations: ('encrypt' | 'decrypt')[] }

@export()
@description('A secret that an identity may read.')
type SecretGrant = { identity: string, vault: string, secret: string }

@export()
@description('What somebody outside may do with a secret, by the object id in the directory.')
type OperatorSecretGrant = { principalId: string, secret: string, operation: SecretOperation }

@export()
@description('An operation with a secret, as its data action spells it.')
type SecretOperation = 'getSecret' | 'setSecret' | 'readMetadata'

@export()
@description('What somebody outside may do with a key, by the object id in the directory.')
type OperatorKeyGrant = { principalId: string, vault: string, key: string, operation: 'rotate' | 'update' | 'read' }

@export()
@description('What an identity may do with a queue.')
type QueueGrant = { identity: string, queue: string, rights: ('send' | 'receive')[] }

@export()
@description('What somebody outside may do with a queue, by the object id in the directory.')
type OperatorGrant = { principalId: string, queue: string, rights: ('send' | 'receive')[] }

@export()
@description('A queue by whose length the scale controller scales, and the identity that it looks under.')
type ScaleGrant = { identity: string, queue: string }

@export()
@description('The storage account, by the name of its app, whose packages an identity may write and read.')
type PackageGrant = { identity: string, storage: string }

@export()
@description('The storage account, by the name of its app, that the host of an app works with.')
type StorageGrant = { app: string, storage: string }

@export()
@description('An app whose host may send telemetry.')
type TelemetryGrant = { app: string }

@export()
@description('How vaults decide: by roles at each object, or by policies of the whole vault.')
type VaultAuthorization = 'rbac' | 'accessPolicies'

@export()
@description('How vaults, bus, storage and database are reached: by their public addresses, or only by private endpoints.')
type Network = 'public' | 'private'

@export()
@description('Tier of the Service Bus namespace.')
type BusTier = 'Standard' | 'Premium'

@export()
@description('Sizes that a queue can have, in MB: Standard has those up to 5120, Premium all.')
type QueueSizeMB = 1024 | 2048 | 3072 | 4096 | 5120 | 10240 | 20480 | 40960 | 81920

@export()
@description('Sizes of the disk that a PostgreSQL server can have, in GB.')
type StorageGB = 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4095 | 4096 | 8192 | 16384 | 32767

@export()
@description('How an update replaces the instances of an app: one batch after the other, each finishing its current calls; or all at once, and current calls are cut off.')
type UpdateStrategy = 'RollingUpdate' | 'Recreate'

@export()
@description('How far an app scales, and how many of its instances are always ready.')
type Scale = {
  @description('Memory of an instance in MB.')
  instanceMemoryMB: (512 | 2048 | 4096)?

  @description('Most instances at once.')
  @minValue(1)
  @maxValue(1000)
  maximumInstanceCount: int?

  @description('Instances that never go away, by what they are for: http, or function:<name>.')
  alwaysReady: { name: string, instanceCount: int }[]?
}

@export()
@description('Name of the role that permits one operation on a kind of object and nothing else.')
func roleName(groupId string, kind 'keys' | 'secrets' | 'queues', operation string) string =>
  guid(groupId, kind, operation)
