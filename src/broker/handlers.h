// SPDX-License-Identifier: Apache-2.0
/*
 * handlers: one per API that this broker serves; each in handle_<api>.c.
 *
 * Thread: the request's reactor.
 */
#ifndef BROKER_HANDLERS_H
#define BROKER_HANDLERS_H

#include "broker/request.h"

handler_fn handle_produce;
handler_fn handle_fetch;
handler_fn handle_list_offsets;
handler_fn handle_metadata;
handler_fn handle_offset_commit;
handler_fn handle_offset_fetch;
handler_fn handle_find_coordinator;
handler_fn handle_join_group;
handler_fn handle_heartbeat;
handler_fn handle_leave_group;
handler_fn handle_sync_group;
handler_fn handle_describe_groups;
handler_fn handle_list_groups;
handler_fn handle_delete_groups;
handler_fn handle_offset_delete;
handler_fn handle_api_versions;
handler_fn handle_create_topics;
handler_fn handle_delete_topics;
handler_fn handle_init_producer_id;
handler_fn handle_offset_for_leader_epoch;
handler_fn handle_describe_configs;
handler_fn handle_alter_configs;
handler_fn handle_incremental_alter_configs;
handler_fn handle_create_partitions;
handler_fn handle_delete_records;
handler_fn handle_alter_replica_log_dirs;
handler_fn handle_describe_log_dirs;
handler_fn handle_list_config_resources;
handler_fn handle_describe_topic_partitions;
handler_fn handle_describe_cluster;

/* A version that we do not know: answered in the form of version 0 (KIP-511). */
handler_fn handle_api_versions_unsupported;

#endif
