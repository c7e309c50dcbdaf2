// SPDX-License-Identifier: Apache-2.0
'use strict'

// One member of a consumer group, as group_worker.py is: the same words on its command line, on
// standard input and on standard output.

const { client, nextLine, run } = require('./scenario')

const HEARTBEATS = 10 // in a session

const say = event => process.stdout.write(JSON.stringify(event) + '\n')

async function main () {
  const told = JSON.parse(process.argv[2])
  const consumer = client(told.bootstrap).consumer({ groupId: told.group, maxWaitTimeInMs: 50,
    sessionTimeout: told.session_ms, heartbeatInterval: told.session_ms / HEARTBEATS })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    say({ assigned: payload.memberAssignment[told.topic] || [] }))
  await consumer.connect()
  await consumer.subscribe({ topics: [told.topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const offset = String(BigInt(batch.lastOffset()) + 1n)
      try {
        await consumer.commitOffsets([{ topic: told.topic, partition: batch.partition, offset }])
      } catch (e) {
        say({ refused: e.message })
        throw e // kafkajs joins again, and reads them again
      }
      const row = m => [batch.partition, Number(m.offset), m.value.toString()]
      say({ records: batch.messages.map(row) })
    }
  })
  await nextLine()
  await consumer.disconnect()
}

run(main)
