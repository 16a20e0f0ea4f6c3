using 'main.bicep'

import { expiry as never, operators as nobody } from 'nobody.bicep'

param environmentName = 'relay-local'
param location = 'westeurope'
param suffix = 'local'
param storageSuffix = 'core.windows.net'
param expiry = never
param operators = nobody
// Never looked at: a snapshot holds the parameter's name in its place.
param databasePassword = ''
param machines = map(loadJsonContent('access.json').machines, machine => machine.name)
// Nobody's: its private half was never kept.
param machinePublicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB1z6TBQTfrYpagiJSyG1yxOpVSK2e4kDRJ3f46/+BvD nobody'
param network = 'private'
param busTier = 'Premium'
