// SPDX-License-Identifier: Apache-2.0
'use strict'

// Producers and consumers of kafkajs.

const { CODECS, assert, client, count, createTopics, read, refusal, run, step,
  withProducer } = require('./scenario')

const START = Date.now() - 100000
const PER_CODEC = 1500

const kafka = client(process.argv[2])

function make (i) {
  return {
    partition: 0,
    key: i % 3 === 0 ? null : Buffer.from(i % 3 === 1 ? '' : `key ${i}`),
    value: i % 7 === 0 ? null : Buffer.alloc(i % 500, `${i} `),
    headers: Object.fromEntries(count(i % 3).map(h => [`h${h}`, Buffer.from(`${i * h}`)])),
    timestamp: String(START + i)
  }
}

async function create () {
  const admin = kafka.admin()
  await admin.connect()
  const topics = [...Object.keys(CODECS).map(codec => ({ topic: `js-${codec}` })),
    { topic: 'js-large', configEntries: [{ name: 'max.message.bytes', value: '12000000' }] },
    { topic: 'js-small' },
    { topic: 'js-time', numPartitions: 2 }]
  assert(await createTopics(admin, topics))
  await admin.disconnect()
}

async function roundTrip (codec) {
  const topic = `js-${codec}`
  await withProducer(kafka, async producer => {
    for (let from = 0; from < PER_CODEC; from += 500) {
      const messages = count(500).map(i => make(from + i))
      const told = await producer.send({ topic, messages, acks: -1, compression: CODECS[codec] })
      const rows = told.map(t => [t.errorCode, t.partition, t.baseOffset])
      assert.deepStrictEqual(rows, [[0, 0, `${from}`]])
    }
  })
  const back = await read(kafka, topic, PER_CODEC)
  back.forEach((got, i) => {
    const wanted = make(i)
    assert.strictEqual(got.offset, `${i}`)
    for (const field of ['key', 'value', 'timestamp', 'headers']) {
      assert.deepStrictEqual(got[field], wanted[field], `${field} of ${i}`)
    }
  })
}

async function largeRecords () {
  const value = Buffer.alloc(10000000)
  for (let i = 0; i < value.length; i++) {
    value[i] = (i * 2654435761) >>> 24
  }
  await withProducer(kafka, async producer => {
    const send = (topic, value) =>
      producer.send({ topic, messages: [{ partition: 0, value }], acks: -1 })
    await send('js-large', 'before')
    await send('js-large', value)
    await send('js-large', 'after')
    assert.strictEqual(await refusal(send('js-small', value)), 'MESSAGE_TOO_LARGE')
  })
  // Also by a consumer that asks for less than that.
  for (const maxBytes of [20000000, 1000]) {
    const back = await read(kafka, 'js-large', 3, { maxBytes, maxBytesPerPartition: maxBytes })
    assert.strictEqual(back[0].value.toString(), 'before')
    assert(back[1].value.equals(value))
    assert.strictEqual(back[2].value.toString(), 'after')
  }
}

async function fromATime () {
  const topic = 'js-time'
  await withProducer(kafka, async producer => {
    for (let from = 0; from < 100; from += 10) { // a batch each
      const messages = count(10).map(i => ({ partition: 1, value: `${from + i}`,
        timestamp: `${START + 1000 * (from + i)}` }))
      await producer.send({ topic, messages, acks: -1 })
    }
  })
  const admin = kafka.admin()
  await admin.connect()
  const offsets = at => admin.fetchTopicOffsetsByTimestamp(topic, at).then(list =>
    list.sort((a, b) => a.partition - b.partition).map(p => p.offset))
  assert.deepStrictEqual(await offsets(START), ['0', '0'])
  assert.deepStrictEqual(await offsets(START + 42000), ['0', '42'])
  assert.deepStrictEqual(await offsets(START + 42001), ['0', '43'])
  assert.deepStrictEqual(await offsets(START + 99001), ['0', '100']) // none: kafkajs says the end
  const [, { offset }] = (await admin.fetchTopicOffsetsByTimestamp(topic, START + 69500)).sort(
    (a, b) => a.partition - b.partition)
  await admin.disconnect()
  const back = await read(kafka, topic, 30, {
    whenJoined: consumer => consumer.seek({ topic, partition: 1, offset })
  })
  assert.deepStrictEqual(back.slice(-30).map(m => m.value.toString()),
    count(30).map(i => `${70 + i}`))
}

async function main () {
  await step('create', create)
  for (const codec of Object.keys(CODECS)) {
    await step(`round trip ${codec}`, () => roundTrip(codec))
  }
  await step('large records', largeRecords)
  await step('from a time', fromATime)
}

run(main)
