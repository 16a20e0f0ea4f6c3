metadata description = 'What the partner bears from all instances together, as settings of one instance.'

import { App, Queue, Scale } from 'access.bicep'

// Azure counts instances for each function of a queue, and those that are always ready besides. What
// triages dead letters never posts.
func posting(app App, queues Queue[], scale Scale) int =>
  max(
    1,
    length(filter(
      app.?trigger.?queues ?? [],
      queue => !contains(map(queues, one => one.?forwardDeadLettersTo ?? ''), queue)
    ))
  ) * (scale.?maximumInstanceCount ?? 40) + reduce(scale.?alwaysReady ?? [], 0, (sum, one) => sum + one.instanceCount)

// In thousandths, rounded down, so that all together never exceed the limit.
func thousandths(rate int, instances int) int => max(1, rate * 1000 / instances)

func written(thousandths int) string => '${thousandths / 1000}.${padLeft(thousandths % 1000, 3, '0')}'

@export()
@description('Settings of an instance of the app that posts: its part of the limits, rounded down, but one post at once and 0.001 a second at least. None for a limit of 0.')
func partnerSettings(app App, queues Queue[], scale Scale, concurrency int, rate int) { *: string } =>
  contains(app.identities, 'partner')
    ? union(
        concurrency == 0 ? {} : { RELAY_PARTNER_CONCURRENCY: string(max(1, concurrency / posting(app, queues, scale))) },
        rate == 0 ? {} : { RELAY_PARTNER_RATE: written(thousandths(rate, posting(app, queues, scale))) }
      )
    : {}
