using 'main.bicep'

param caller = '00000000-0000-4000-8000-000000000201'
param callerType = 'ServicePrincipal'
param stranger = '00000000-0000-4000-8000-000000000202'
param suffix = 'local'
param location = 'westeurope'
