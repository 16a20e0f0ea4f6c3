using 'main.bicep'

param environmentName = 'relay-local'
param location = 'westeurope'
param suffix = 'local'
param storageSuffix = 'core.windows.net'
param vaultAuthorization = 'accessPolicies'
// Nobody's: one made-up principal for each operator.
param operators = toObject(
  map(loadJsonContent('access.json').operators, (operator, i) => { name: operator.name, number: i }),
  operator => operator.name,
  operator => ['00000000-0000-4000-8000-0000000001${padLeft(operator.number, 2, '0')}']
)
