metadata description = 'What the deployments in the snapshots have instead of a real one.'

@export()
@description('One made-up principal for each operator.')
var operators = toObject(
  map(loadJsonContent('access.json').operators, (operator, i) => { name: operator.name, number: i }),
  operator => operator.name,
  operator => ['00000000-0000-4000-8000-0000000001${padLeft(operator.number, 2, '0')}']
)

@export()
@description('A number far from now and like no other, so that a snapshot is the same whenever it is made, and shows what follows the clock.')
var expiry = 4000000000
