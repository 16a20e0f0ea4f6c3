using 'main.bicep'

param environmentName = 'relay-local'
param location = 'westeurope'
param suffix = 'local'
param storageSuffix = 'core.windows.net'
