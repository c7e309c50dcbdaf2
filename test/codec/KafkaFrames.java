// SPDX-License-Identifier: Apache-2.0
/*
 * KafkaFrames: the Java side of the comparison of our codec with Kafka's own serializers.
 *
 *   KafkaFrames FACTS FROM_C TO_C SEED N
 *
 * FACTS   what codec_frames says about API versions and headers: compared with ApiKeys
 * FROM_C  messages of codec_frames: read by Kafka's message classes, written again, compared
 * TO_C    N random messages of every API, direction and version, made from the schema that
 *         each message class carries, for `codec_frames check`: as Kafka's generic Struct
 *         writes them, and as the message class writes them after reading that
 *
 * The format of messages is told in codec_frames.c.
 */
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.ArrayOf;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

public final class KafkaFrames {
    private static final int DIRECTIONS = 4;
    private static int failures = 0;

    private static void fail(String text) {
        if (failures++ < 20) {
            System.out.println(text);
        }
    }

    private static ApiMessage newMessage(short key, int direction) {
        return switch (direction) {
            case 0 -> ApiMessageType.fromApiKey(key).newRequest();
            case 1 -> ApiMessageType.fromApiKey(key).newResponse();
            case 2 -> new RequestHeaderData();
            default -> new ResponseHeaderData();
        };
    }

    private static Schema schema(short key, int direction, short version) {
        return switch (direction) {
            case 0 -> ApiMessageType.fromApiKey(key).requestSchemas()[version];
            case 1 -> ApiMessageType.fromApiKey(key).responseSchemas()[version];
            case 2 -> RequestHeaderData.SCHEMAS[version];
            default -> ResponseHeaderData.SCHEMAS[version];
        };
    }

    private static byte[] write(ApiMessage message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        if (out.hasRemaining()) {
            throw new IllegalStateException("size() and write() differ");
        }
        return out.array();
    }

    private static ApiMessage read(short key, int direction, short version, byte[] bytes) {
        ApiMessage message = newMessage(key, direction);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        message.read(new ByteBufferAccessor(in), version);
        if (in.hasRemaining()) {
            throw new IllegalStateException(in.remaining() + " bytes left over");
        }
        return message;
    }

    /* ---- what the API table says */

    private static int compareFacts(Path path) throws IOException {
        List<String> lines = Files.readAllLines(path);
        for (String line : lines) {
            String[] words = line.split(" ");
            ApiKeys api = ApiKeys.forId(Integer.parseInt(words[0]));
            short min = Short.parseShort(words[2]);
            short max = Short.parseShort(words[3]);
            var announced = api.toApiVersion(true).orElseThrow();
            short stable = api.toApiVersion(false).orElseThrow().maxVersion();
            // Kafka tells clients a lower first version of Produce than it serves: see ApiKeys.
            short first = api == ApiKeys.PRODUCE
                ? ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION : announced.minVersion();
            String here = String.join(" ", Arrays.asList(words).subList(1, 6));
            String there = String.join(" ", api.name, "" + api.messageType.lowestSupportedVersion(),
                "" + announced.maxVersion(), "" + first, "" + stable);
            if (!here.equals(there)) {
                fail("facts: here " + here + ", in Kafka " + there);
            }
            for (short v = min; v <= max; v++) {
                String headers = api.requestHeaderVersion(v) + "/" + api.responseHeaderVersion(v);
                if (!headers.equals(words[6 + v - min])) {
                    fail("facts: headers of " + api.name + " v" + v + ": in Kafka " + headers);
                }
            }
        }
        return lines.size();
    }

    /* ---- messages from C */

    private static int readFromC(Path path) throws IOException {
        int count = 0;
        try (DataInputStream in = new DataInputStream(
                new BufferedInputStream(Files.newInputStream(path), 1 << 16))) {
            while (true) {
                short key;
                try {
                    key = in.readShort();
                } catch (EOFException e) {
                    return count;
                }
                int direction = in.readByte();
                short version = in.readShort();
                byte[] bytes = in.readNBytes(in.readInt());
                in.readNBytes(in.readInt());
                count++;
                String name = newMessage(key, direction).getClass().getSimpleName();
                String what = name + " v" + version;
                try {
                    ApiMessage message = read(key, direction, version, bytes);
                    if (!Arrays.equals(bytes, write(message, version))) {
                        fail(what + ": written again it differs: " + message);
                    }
                } catch (RuntimeException e) {
                    fail(what + ": " + e);
                }
            }
        }
    }

    /* ---- random messages from Kafka's schemas */

    private static final String LETTERS = "abcXYZ019._-\u00e9\u20ac";

    /* Most are short; some are empty, some need a length of two bytes. */
    private static int length(Random random) {
        if (random.nextInt(8) == 0) {
            return 0;
        }
        return random.nextInt(random.nextInt(12) == 0 ? 300 : 30);
    }

    private static String text(Random random) {
        int length = length(random);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < length; i++) {
            out.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return out.toString();
    }

    private static byte[] bytes(Random random) {
        byte[] out = new byte[length(random)];
        random.nextBytes(out);
        return out;
    }

    private static long number(Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> 0;
            case 1 -> -1;
            case 2 -> Long.MAX_VALUE;
            case 3 -> random.nextInt(1000);
            default -> random.nextLong();
        };
    }

    private static Object scalar(Type type, Random random) {
        String name = type.toString();
        return switch (name) {
            case "BOOLEAN" -> random.nextBoolean();
            case "INT8" -> (byte) number(random);
            case "INT16" -> (short) number(random);
            case "UINT16" -> (int) (number(random) & 0xffff);
            case "INT32" -> (int) number(random);
            case "UINT32" -> number(random) & 0xffffffffL;
            case "INT64" -> number(random);
            case "FLOAT64" -> random.nextGaussian();
            case "UUID" -> new Uuid(random.nextLong(), random.nextLong());
            case "STRING", "NULLABLE_STRING", "COMPACT_STRING", "COMPACT_NULLABLE_STRING" ->
                text(random);
            case "BYTES", "NULLABLE_BYTES", "COMPACT_BYTES", "COMPACT_NULLABLE_BYTES" ->
                ByteBuffer.wrap(bytes(random));
            case "RECORDS", "NULLABLE_RECORDS", "COMPACT_RECORDS", "COMPACT_NULLABLE_RECORDS" ->
                MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(random)));
            default -> throw new IllegalStateException("no random value for " + name);
        };
    }

    private static Object array(Type item, Random random, int depth) {
        Object[] out = new Object[random.nextInt(depth > 2 ? 3 : 5)];
        for (int i = 0; i < out.length; i++) {
            out[i] = value(item, random, depth);
        }
        return out;
    }

    private static Object value(Type type, Random random, int depth) {
        if (type.isNullable() && !(type instanceof TaggedFields) && random.nextInt(4) == 0) {
            return null;
        }
        if (type instanceof ArrayOf || type instanceof CompactArrayOf) {
            return array(type.arrayElementType().orElseThrow(), random, depth);
        }
        if (type instanceof TaggedFields tagged) {
            NavigableMap<Integer, Object> out = new TreeMap<>();
            for (var entry : tagged.fields().entrySet()) {
                if (random.nextInt(3) > 0) {
                    out.put(entry.getKey(), value(entry.getValue().type, random, depth));
                }
            }
            return out;
        }
        if (type instanceof Schema schema) {
            return struct(schema, random, depth + 1);
        }
        return scalar(type, random);
    }

    private static Struct struct(Schema schema, Random random, int depth) {
        Struct out = new Struct(schema);
        for (BoundField field : schema.fields()) {
            out.set(field, value(field.def.type, random, depth));
        }
        return out;
    }

    private static void emit(DataOutputStream out, short key, int direction, short version,
                             Random random) throws IOException {
        Schema schema = schema(key, direction, version);
        Struct struct = struct(schema, random, 0);
        ByteBuffer generic = ByteBuffer.allocate(schema.sizeOf(struct));
        struct.writeTo(generic);
        byte[] written = write(read(key, direction, version, generic.array()), version);
        out.writeShort(key);
        out.writeByte(direction);
        out.writeShort(version);
        out.writeInt(generic.array().length);
        out.write(generic.array());
        out.writeInt(written.length);
        out.write(written);
    }

    private static int writeToC(Path facts, Path path, long seed, int rounds) throws IOException {
        Random random = new Random(seed);
        int count = 0;
        try (DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(Files.newOutputStream(path), 1 << 16))) {
            for (String line : Files.readAllLines(facts)) {
                short key = Short.parseShort(line.split(" ")[0]);
                for (int direction = 0; direction < DIRECTIONS; direction++) {
                    if (direction > 1 && key > 0) {
                        continue;
                    }
                    ApiMessage message = newMessage(key, direction);
                    short last = message.highestSupportedVersion();
                    for (short v = message.lowestSupportedVersion(); v <= last; v++) {
                        for (int round = 0; round < rounds; round++, count++) {
                            emit(out, key, direction, v, random);
                        }
                    }
                }
            }
        }
        return count;
    }

    public static void main(String[] args) throws IOException {
        Path facts = Path.of(args[0]);
        int apis = compareFacts(facts);
        int read = readFromC(Path.of(args[1]));
        int written = writeToC(facts, Path.of(args[2]), Long.parseLong(args[3]),
            Integer.parseInt(args[4]));
        System.out.printf("codec: %d APIs announced as Kafka does; %d messages of ours read and "
            + "written again by Kafka, %d failed; %d written for us%n",
            apis, read, failures, written);
        System.exit(failures > 0 || apis == 0 || read == 0 || written == 0 ? 1 : 0);
    }
}
