// SPDX-License-Identifier: Apache-2.0
'use strict'

// What the programs of this folder share: a kafkajs with all codecs, named steps, a line each, and
// short ways to its clients.

const assert = require('assert')
const readline = require('readline')
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')

const LIMIT_MS = 60000
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

// kafkajs itself has gzip only. Its own packages for lz4 and zstd are compiled where they are
// installed, these two are not.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd()).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd()).decompress(buffer))
})

const zstd = async () => (await import(require.resolve('@hpcc-js/wasm-zstd'))).Zstd.load()

// One program, which standard input and what kafkajs leaves of failed connections would keep alive.
const run = main => main().then(() => process.exit(0))

// Soon again after a failure, and for long.
const retry = { initialRetryTime: 30, maxRetryTime: 300, retries: 300 }

const client = bootstrap => new Kafka({ brokers: [bootstrap], clientId: 'js',
  connectionTimeout: LIMIT_MS, requestTimeout: LIMIT_MS, retry, logLevel: logLevel.NOTHING })

// The numbers below `size`.
const count = size => [...Array(size).keys()]

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function step (name, body) {
  try {
    await body()
    console.log(`ok ${name}`)
  } catch (e) {
    console.log(`failed ${name}: ${String(e && e.message).split('\n')[0]}`)
    console.log(e.stack)
  }
}

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// A line of standard input.
const nextLine = async () => (await lines.next()).value

// Has the test do something to the broker, and waits until it is done.
async function ask (word) {
  console.log(`do ${word}`)
  await nextLine()
}

// What is not there at once: Kafka's broker may know a thing later than its controller.
async function until (isTrue) {
  const deadline = Date.now() + LIMIT_MS
  const isSoFar = async () => {
    try {
      return await isTrue()
    } catch (e) {
      assert(e.retriable, e)
      return false
    }
  }
  while (!await isSoFar()) {
    assert(Date.now() < deadline, `not within ${LIMIT_MS} ms: ${isTrue}`)
    await sleep(20)
  }
}

// What kafkajs itself waits for would end where a broker does not know the topics yet.
async function createTopics (admin, topics) {
  const isNew = await admin.createTopics({ topics, waitForLeaders: false })
  await until(async () => await admin.fetchTopicMetadata({ topics: topics.map(t => t.topic) }))
  return isNew
}

// The error's type of what a call was refused with.
async function refusal (promise) {
  try {
    await promise
    return 'nothing'
  } catch (e) {
    const inner = e.errors ? e.errors[0] : e // of KafkaJSAggregateError
    return inner.type || (inner.cause && inner.cause.type) || inner.name
  }
}

async function withProducer (kafka, body, options = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...options })
  await producer.connect()
  try {
    return await body(producer)
  } finally {
    await producer.disconnect()
  }
}

// `size` records of a topic, by a member of a group of its own. `whenJoined` may seek.
async function read (kafka, topic, size, { whenJoined = () => {}, groupId, ...options } = {}) {
  const consumer = kafka.consumer({ groupId: groupId || `js-${topic}-${Math.random()}`,
    maxWaitTimeInMs: 100, ...options })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const messages = []
  try {
    await new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`${messages.length} of ${size}`))
      const watchdog = setTimeout(fail, LIMIT_MS)
      consumer.run({
        eachMessage: async ({ partition, message }) => {
          messages.push({ partition, ...message })
          if (messages.length === size) {
            clearTimeout(watchdog)
            resolve()
          }
        }
      }).then(() => whenJoined(consumer)).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  assert.strictEqual(messages.length, size)
  return messages
}

module.exports = { CODECS, ask, assert, client, count, createTopics, nextLine, read, refusal, run,
  sleep, step, until, withProducer }
