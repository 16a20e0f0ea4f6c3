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
param vaultAuthorization = 'accessPolicies'
param busTier = 'Premium'
