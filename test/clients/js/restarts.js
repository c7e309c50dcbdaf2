// SPDX-License-Identifier: Apache-2.0
'use strict'

// Idempotent producers and a member of a group that live through kills of the broker.

const { ask, assert, client, count, read, run, sleep, step, until,
  withProducer } = require('./scenario')

const [, , bootstrap, topic, rounds] = process.argv
const PARTITIONS = 4
const PER_SEND = 20
const SENDS_PER_ROUND = 50 // to each partition

const kafka = client(bootstrap)
const size = rounds * SENDS_PER_ROUND * PER_SEND // of each partition

async function fill (partition, onAck) {
  await withProducer(kafka, async producer => {
    for (let from = 0; from < size; from += PER_SEND) {
      const messages = count(PER_SEND).map(i => ({ partition, value: `${from + i}` }))
      await producer.send({ topic, messages, acks: -1 })
      onAck()
    }
  }, { idempotent: true, maxInFlightRequests: 1 })
}

async function kills (sends) {
  for (let round = 0; round < rounds; round++) {
    const mark = (round + 0.5) * SENDS_PER_ROUND * PARTITIONS
    while (sends.acked < mark) {
      await sleep(1)
    }
    await ask('restart')
  }
}

async function restarts () {
  const seen = new Map() // what the member has read, by partition and offset
  const consumer = kafka.consumer({ groupId: `${topic}-group`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const place = `${partition}:${message.offset}`
      const value = message.value.toString()
      assert.strictEqual(seen.get(place) || value, value) // it may come twice, but is the same
      seen.set(place, value)
    }
  })
  const sends = { acked: 0 }
  const filling = count(PARTITIONS).map(p => fill(p, () => sends.acked++))
  await Promise.all([...filling, kills(sends)])
  await until(() => seen.size === PARTITIONS * size)
  await consumer.disconnect()
  const next = Array(PARTITIONS).fill(0)
  for (const { partition, offset, value } of await read(kafka, topic, PARTITIONS * size)) {
    assert.strictEqual(Number(offset), next[partition])
    assert.strictEqual(Number(value.toString()), next[partition]++)
    assert.strictEqual(seen.get(`${partition}:${offset}`), value.toString())
  }
}

run(() => step('each record once, in order', restarts))
