metadata description = 'The shape of access.json, and the names of what is deployed for it.'

@export()
@description('A function app, the identities attached to it, and the queue that triggers it.')
type App = {
  name: string
  identities: string[]
  trigger: { identity: string, queue: string }?
}

@export()
@description('A key or a secret, and the vault it lives in.')
type VaultObject = { name: string, vault: string }

@export()
@description('A queue, and where its messages go without anybody taking them.')
type Queue = {
  name: string
  duplicateDetection: string?
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
@description('What an identity may do with a queue.')
type QueueGrant = { identity: string, queue: string, rights: ('send' | 'receive')[] }

@export()
@description('What somebody outside may do with a queue, by the object id in the directory.')
type OperatorGrant = { principalId: string, queue: string, rights: ('send' | 'receive')[] }

@export()
@description('How vaults decide: by roles at each object, or by policies of the whole vault.')
type VaultAuthorization = 'rbac' | 'accessPolicies'

@export()
@description('Name of the role that permits one operation on a kind of vault object and nothing else.')
func roleName(groupId string, kind 'keys' | 'secrets', operation string) string => guid(groupId, kind, operation)
