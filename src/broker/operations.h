// SPDX-License-Identifier: Apache-2.0
/*
 * operations: the bit sets of what a client may do with a resource (KIP-430). Bit n is Kafka's
 * number of the operation. Nobody is kept from anything in this build, so everything that the
 * kind of resource knows is set.
 *
 * Thread: any; constant.
 */
#ifndef BROKER_OPERATIONS_H
#define BROKER_OPERATIONS_H

enum acl_operation {
    ACL_READ = 3,
    ACL_WRITE = 4,
    ACL_CREATE = 5,
    ACL_DELETE = 6,
    ACL_ALTER = 7,
    ACL_DESCRIBE = 8,
    ACL_CLUSTER_ACTION = 9,
    ACL_DESCRIBE_CONFIGS = 10,
    ACL_ALTER_CONFIGS = 11,
    ACL_IDEMPOTENT_WRITE = 12,
};

enum {
    OPERATIONS_OF_TOPIC = 1 << ACL_READ | 1 << ACL_WRITE | 1 << ACL_CREATE | 1 << ACL_DELETE |
                          1 << ACL_ALTER | 1 << ACL_DESCRIBE | 1 << ACL_DESCRIBE_CONFIGS |
                          1 << ACL_ALTER_CONFIGS,
    OPERATIONS_OF_GROUP = 1 << ACL_READ | 1 << ACL_DELETE | 1 << ACL_DESCRIBE |
                          1 << ACL_DESCRIBE_CONFIGS | 1 << ACL_ALTER_CONFIGS,
    OPERATIONS_OF_CLUSTER = 1 << ACL_CREATE | 1 << ACL_ALTER | 1 << ACL_DESCRIBE |
                            1 << ACL_CLUSTER_ACTION | 1 << ACL_DESCRIBE_CONFIGS |
                            1 << ACL_ALTER_CONFIGS | 1 << ACL_IDEMPOTENT_WRITE,
};

#endif
