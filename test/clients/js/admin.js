// SPDX-License-Identifier: Apache-2.0
'use strict'

// The administration client of kafkajs.

const { ConfigResourceTypes: { BROKER, TOPIC } } = require('kafkajs')
const { assert, client, count, createTopics, read, refusal, run, step, until,
  withProducer } = require('./scenario')

const kafka = client(process.argv[2])
const admin = kafka.admin()
const topic = 'js-admin'

const byPartition = (a, b) => a.partition - b.partition
const same = assert.deepStrictEqual

async function create () {
  const configEntries = [{ name: 'retention.ms', value: '1234567' }]
  const validateOnly = { validateOnly: true, waitForLeaders: false }
  same(await admin.createTopics({ ...validateOnly, topics: [{ topic }] }), true)
  same((await admin.listTopics()).includes(topic), false)
  same(await createTopics(admin, [{ topic, numPartitions: 3, configEntries }]), true)
  same(await createTopics(admin, [{ topic }]), false) // it is there
  for (const [change, type] of [
    [{ numPartitions: 0 }, 'INVALID_PARTITIONS'],
    [{ replicationFactor: 3 }, 'INVALID_REPLICATION_FACTOR'],
    [{ topic: 'bad/name' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ configEntries: [{ name: 'retention.ms', value: 'soon' }] }, 'INVALID_CONFIG']]) {
    same(await refusal(admin.createTopics({ topics: [{ topic: 'js-refused', ...change }] })), type)
  }
  same((await admin.listTopics()).includes(topic), true)
  const [told] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
  same(told.partitions.map(p => p.partitionId).sort(), [0, 1, 2])
  told.partitions.forEach(p => same([p.leader, p.replicas, p.isr], [1, [1], [1]]))
}

async function describeCluster () {
  const cluster = await admin.describeCluster()
  same(cluster.brokers.map(b => [b.nodeId, `${b.host}:${b.port}`]), [[1, process.argv[2]]])
  same(cluster.controller, 1)
  same(cluster.clusterId.length, 22)
}

async function entries (type, name, ...configNames) {
  const resources = [{ type, name, configNames: configNames.length ? configNames : undefined }]
  const [told] = (await admin.describeConfigs({ resources, includeSynonyms: false })).resources
  return Object.fromEntries(told.configEntries.map(e => [e.configName, e]))
}

async function configs () {
  const told = await entries(TOPIC, topic)
  same([told['retention.ms'].configValue, told['retention.ms'].isDefault], ['1234567', false])
  same(told['segment.bytes'].isDefault, true)
  assert(Object.keys(told).length >= 30)
  same(Object.keys(await entries(TOPIC, topic, 'segment.bytes')), ['segment.bytes'])
  assert(Object.keys(await entries(BROKER, '1')).length > 100)
  const alter = value => admin.alterConfigs({ validateOnly: false,
    resources: [{ type: TOPIC, name: topic, configEntries: [{ name: 'segment.bytes', value }] }] })
  await alter('2000000')
  await until(async () => (await entries(TOPIC, topic))['segment.bytes'].configValue === '2000000')
  // All that is not named goes back to its default.
  same((await entries(TOPIC, topic))['retention.ms'].configValue, '604800000')
  same(await refusal(alter('many')), 'INVALID_CONFIG')
}

async function createPartitions () {
  const grow = size => admin.createPartitions({ topicPartitions: [{ topic, count: size }] })
  await grow(5)
  await until(async () => {
    const told = await admin.fetchTopicMetadata({ topics: [topic] })
    return told.topics[0].partitions.length === 5
  })
  same(await refusal(grow(4)), 'INVALID_PARTITIONS')
}

async function send () {
  await withProducer(kafka, async producer => {
    const messages = count(100).map(i => ({ partition: i % 5, value: `${i}` }))
    await producer.send({ topic, messages, acks: -1 })
  })
}

async function bounds () {
  return (await admin.fetchTopicOffsets(topic)).sort(byPartition).map(p => [p.low, p.high])
}

async function deleteRecords () {
  await send()
  same(await bounds(), Array(5).fill(['0', '20']))
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' },
    { partition: 1, offset: '-1' }] })
  same(await bounds(), [['4', '20'], ['20', '20'], ...Array(3).fill(['0', '20'])])
  const partitions = [{ partition: 0, offset: '21' }]
  const refused = await admin.deleteTopicRecords({ topic, partitions })
    .catch(e => e.cause.partitions)
  same(refused.map(r => [r.partition, r.error.type]), [[0, 'OFFSET_OUT_OF_RANGE']])
}

const groupId = 'js-admin-group'

async function committed (group = groupId) {
  const [told] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  return told.partitions.sort(byPartition).map(p => p.offset)
}

async function groups () {
  const described = async () => (await admin.describeGroups([groupId])).groups[0]
  await read(kafka, topic, 76, { groupId,
    whenJoined: async () => {
      const told = await described()
      same([told.errorCode, told.state, told.protocolType, told.protocol, told.members.length],
        [0, 'Stable', 'consumer', 'RoundRobinAssigner', 1])
      same([told.members[0].clientId, told.members[0].clientHost], ['js', '/127.0.0.1'])
      same((await admin.deleteGroups([groupId]).catch(e => e.groups))[0].errorCode, 68)
      const partitions = [{ partition: 0, offset: '1' }]
      const refused = await admin.setOffsets({ groupId, topic, partitions }).catch(e => e)
      assert.match(refused.message, /must have no running instances/)
    }
  })
  same((await described()).state, 'Empty')
  same((await admin.listGroups()).groups.filter(g => g.groupId === groupId),
    [{ groupId, protocolType: 'consumer' }])
  same(await committed(), ['20', '-1', '20', '20', '20'])
}

// kafkajs is a member for it, and waits five seconds each time; so all three at once.
async function setOffsets () {
  const [set, earliest, latest] = ['set', 'earliest', 'latest'].map(word => `${groupId}-${word}`)
  const partitions = [{ partition: 2, offset: '7' }]
  await Promise.all([admin.setOffsets({ groupId: set, topic, partitions }),
    admin.resetOffsets({ groupId: earliest, topic, earliest: true }),
    admin.resetOffsets({ groupId: latest, topic })])
  same(await committed(set), ['-1', '-1', '7', '-1', '-1'])
  const [two] = (await read(kafka, topic, 69, { groupId: set })).filter(m => m.partition === 2)
  same(two.offset, '7')
  same(await committed(earliest), Array(5).fill('-2')) // kafkajs commits the name of the place
  same((await read(kafka, topic, 76, { groupId: earliest })).length, 76)
  same(await committed(latest), Array(5).fill('-1'))
}

async function deleteGroups () {
  same((await admin.deleteGroups([groupId])).map(g => [g.groupId, g.errorCode]), [[groupId, 0]])
  same((await admin.listGroups()).groups.some(g => g.groupId === groupId), false)
  const [told] = await admin.deleteGroups([groupId]).catch(e => e.groups)
  same(told.errorCode, 69)
  same(await committed(), Array(5).fill('-1'))
}

async function deleteTopics () {
  await admin.deleteTopics({ topics: [topic] })
  await until(async () => !(await admin.listTopics()).includes(topic))
  same(await refusal(admin.fetchTopicMetadata({ topics: [topic] })), 'UNKNOWN_TOPIC_OR_PARTITION')
}

async function main () {
  await admin.connect()
  await step('create topics', create)
  await step('describe the cluster', describeCluster)
  await step('describe and alter configs', configs)
  await step('create partitions', createPartitions)
  await step('delete records', deleteRecords)
  await step('list and describe groups', groups)
  await step('set and reset offsets', setOffsets)
  await step('delete groups', deleteGroups)
  await step('delete topics', deleteTopics)
  await admin.disconnect()
}

run(main)
