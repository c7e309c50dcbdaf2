// SPDX-License-Identifier: Apache-2.0
'use strict'

// Sends what each line of standard input tells, `{"topic": ..., "codec": ..., "records":
// [[partition, value, timestamp or null]]}`, and answers each when all of it is acknowledged.

const { CODECS, assert, client, nextLine, run, withProducer } = require('./scenario')

const PER_REQUEST = 10000

async function send (producer, { topic, codec, records }) {
  for (let from = 0; from < records.length; from += PER_REQUEST) {
    const messages = records.slice(from, from + PER_REQUEST).map(([partition, value, at]) => ({
      partition, value, timestamp: at === null ? undefined : String(at) }))
    const told = await producer.send({ topic, acks: -1, compression: CODECS[codec], messages })
    assert(told.every(t => t.errorCode === 0))
  }
}

async function main () {
  await withProducer(client(process.argv[2]), async producer => {
    for (let line = await nextLine(); line !== undefined; line = await nextLine()) {
      await send(producer, JSON.parse(line))
      console.log('sent')
    }
  })
}

run(main)
