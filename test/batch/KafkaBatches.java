// SPDX-License-Identifier: Apache-2.0
/*
 * KafkaBatches: what Apache Kafka makes of record batches. The other side of batch_probe.c.
 *
 *   KafkaBatches golden DIR    writes batches of Kafka's own builder, with what is in them, as
 *                              text files (test/golden/batches says how to read them)
 *   KafkaBatches check FILE    judges the lines of batch_probe by Kafka's own code, in the order
 *                              of a leader's append, and compares
 *
 * A batch that we would store must be stored by Kafka too, as the very same bytes. Where we
 * refuse what Kafka would store, the reason must be one of STRICTER.
 */
import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdIOException;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.common.utils.internals.PrimitiveRef;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.xerial.snappy.Snappy;
import org.xerial.snappy.SnappyError;

public class KafkaBatches {
    static final HexFormat HEX = HexFormat.of();
    static final TopicPartition PARTITION = new TopicPartition("t", 0);
    static final long OFFSET = 1000;
    static final int EPOCH = 7;

    /** Reasons of ours for which Kafka may think otherwise; docs/formats.md lists them. */
    static final Set<String> STRICTER = Set.of(
        "bytes behind the one batch that is allowed",
        "offset deltas do not count from 0",
        "attributes that do not exist",
        "clients set no delete horizon",
        "a record whose size is not that of its parts",
        "a key with a bad length",
        "a value with a bad length",
        "a header count that the record cannot hold",
        "a header name with a bad length",
        "a header value with a bad length",
        "the record ends before its headers",
        "a record cut short",
        "the batch ends before its records do",
        "a compressed batch with a broken end");

    static final String OLDER_ZSTD = "of those, zstd that only a library before 1.5.6 decodes";
    static final int OLDER_ZSTD_PER_MILLION_MAX = 200;

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("golden"))
            new Golden(Path.of(args[1])).write();
        else if (args.length == 2 && args[0].equals("check"))
            check(Path.of(args[1]));
        else
            throw new IllegalArgumentException("KafkaBatches golden DIR | check FILE");
    }

    // ---- judging

    record Answer(short code, String errors, byte[] stored, Throwable why) {}

    static Answer judge(String[] f) {
        ByteBuffer bytes = ByteBuffer.wrap(f[9].equals("-") ? new byte[0] : HEX.parseHex(f[9]));
        try {
            MemoryRecords records = MemoryRecords.readableRecords(bytes);
            ProduceRequest.validateRecords(Short.parseShort(f[1]), records);
            CompressionType source = analyze(records, Integer.parseInt(f[6]));
            LogValidator validator = new LogValidator(records, PARTITION,
                clock(Long.parseLong(f[8])), source, Compression.of(source).build(),
                f[2].equals("1"), RecordBatch.MAGIC_VALUE_V2,
                f[3].equals("1") ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME,
                Long.parseLong(f[4]), Long.parseLong(f[5]), EPOCH, AppendOrigin.CLIENT,
                Integer.parseInt(f[7]));
            MemoryRecords stored = validator.validateMessagesAndAssignOffsets(
                PrimitiveRef.ofLong(OFFSET), new Silent(), BufferSupplier.NO_CACHING)
                .validatedRecords();
            ByteBuffer out = stored.buffer().duplicate();
            byte[] result = new byte[out.remaining()];
            out.get(result);
            return new Answer((short) 0, "-", result, null);
        } catch (RecordValidationException e) {
            List<String> errors = new ArrayList<>();
            e.recordErrors().forEach(r -> errors.add(r.batchIndex + ":" +
                (r.message.startsWith("Compacted") ? Errors.INVALID_RECORD.code()
                                                     : Errors.INVALID_TIMESTAMP.code())));
            return new Answer(Errors.forException(e.invalidException()).code(),
                String.join(",", errors.subList(0, Math.min(100, errors.size()))), null, e);
        } catch (Exception | OutOfMemoryError | SnappyError e) {
            return new Answer(Errors.forException(e).code(), "-", null, e);
        }
    }

    /** What a leader's log looks at before it calls its validator, in that order. */
    static CompressionType analyze(MemoryRecords records, int batchBytesMax) {
        MutableRecordBatch batch = records.batches().iterator().next();
        if (batch.baseOffset() != 0)
            throw new InvalidRecordException("base offset");
        batch.lastOffset();
        if (batch.sizeInBytes() > batchBytesMax)
            throw new RecordTooLargeException("batch size");
        if (!batch.isValid())
            throw new CorruptRecordException("checksum");
        return batch.compressionType();
    }

    static Time clock(long now) {
        return (Time) Proxy.newProxyInstance(KafkaBatches.class.getClassLoader(),
            new Class<?>[] {Time.class},
            (proxy, method, arguments) -> method.getName().equals("nanoseconds") ? now * 1000000
                                                                                 : now);
    }

    static final class Silent implements LogValidator.MetricsRecorder {
        @Override public void recordInvalidMagic() {}
        @Override public void recordInvalidOffset() {}
        @Override public void recordInvalidSequence() {}
        @Override public void recordInvalidChecksums() {}
        @Override public void recordNoKeyCompactedTopic() {}
    }

    // ---- comparing

    static void check(Path file) throws IOException {
        Map<String, Integer> tally = new TreeMap<>();
        int lines = 0, bad = 0;
        try (BufferedReader in = Files.newBufferedReader(file)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] f = line.split(" ");
                String complaint = f[0].equals("judge") ? compare(f, tally) : compareRecoded(f, tally);
                lines++;
                if (complaint == null)
                    continue;
                bad++;
                if (bad <= 5)
                    System.out.println(complaint + "\n  " + line.substring(0, Math.min(3000, line.length())));
            }
        }
        int older = tally.getOrDefault(OLDER_ZSTD, 0); // some 5 in a million have been seen
        tally.forEach((what, count) -> System.out.printf("%8d  %s%n", count, what));
        System.out.printf("batches: %d compared with Kafka, %d differ%n", lines, bad);
        if (bad > 0 || lines == 0 || older * 1_000_000L / lines > OLDER_ZSTD_PER_MILLION_MAX)
            System.exit(1);
    }

    static String compare(String[] f, Map<String, Integer> tally) {
        Answer kafka = judge(f);
        short ours = Short.parseShort(f[10]);
        String reason = f[11].replace('_', ' ');
        String stored = kafka.stored() == null ? "-" : HEX.formatHex(kafka.stored());
        String names = Errors.forCode(ours) + ", Kafka " + Errors.forCode(kafka.code());
        tally.merge(ours == 0 ? "stored by us" : names + ": " + reason, 1, Integer::sum);
        if (ours == 0 && isOlderZstdsVerdict(f, kafka)) {
            tally.merge(OLDER_ZSTD, 1, Integer::sum);
            return null;
        }
        if (ours == 0)
            return kafka.code() == 0 && stored.equals(f[13]) ? null
                : "we store it; " + names + " " + kafka.why() + "; its bytes " + stored;
        if (kafka.code() == 0 && ours == Errors.INVALID_TIMESTAMP.code())
            return (HEX.parseHex(f[9], 44, 46)[0] & 8) != 0 ? null // LogAppendTime, by a client
                : "Kafka stores it; we refuse: " + reason;
        if (kafka.code() == 0)
            return STRICTER.contains(reason) ? null : "Kafka stores it; we refuse: " + reason;
        if (kafka.code() == Errors.UNKNOWN_SERVER_ERROR.code())
            return null; // Kafka did not foresee it; any refusal will do
        if (ours != kafka.code() && ours == Errors.INVALID_TIMESTAMP.code())
            return (HEX.parseHex(f[9], 44, 46)[0] & 8) != 0 ? null : names + ": " + reason;
        if (ours != kafka.code())
            return STRICTER.contains(reason) ? null : names + ": " + reason + " / " + kafka.why();
        return kafka.errors().equals(f[12]) || kafka.errors().equals("-") || f[12].equals("-") ? null
            : "record errors " + f[12] + ", Kafka " + kafka.errors();
    }

    /**
     * Debian 12's libzstd 1.5.4 takes a repeated offset of zero for one; from 1.5.6 on, which is
     * Kafka's, it is corruption. Only a broken encoder writes it (docs/formats.md).
     */
    static boolean isOlderZstdsVerdict(String[] f, Answer kafka) {
        if ((HEX.parseHex(f[9], 44, 46)[0] & 7) != CompressionType.ZSTD.id)
            return false;
        for (Throwable t = kafka.why(); t != null; t = t.getCause())
            if (t instanceof ZstdIOException zstd)
                return zstd.getErrorCode() == Zstd.errCorruptionDetected();
        return false;
    }

    static String compareRecoded(String[] f, Map<String, Integer> tally) {
        MutableRecordBatch a = only(HEX.parseHex(f[1]));
        MutableRecordBatch b = only(HEX.parseHex(f[2]));
        b.ensureValid();
        tally.merge(a.compressionType() + " to " + b.compressionType(), 1, Integer::sum);
        if (a.baseOffset() != b.baseOffset() || a.lastOffset() != b.lastOffset() ||
            a.producerId() != b.producerId() || a.producerEpoch() != b.producerEpoch() ||
            a.baseSequence() != b.baseSequence() || a.maxTimestamp() != b.maxTimestamp() ||
            a.isTransactional() != b.isTransactional())
            return "headers differ: " + a + " " + b;
        Iterator<Record> left = a.iterator(), right = b.iterator();
        while (left.hasNext() && right.hasNext())
            if (!left.next().equals(right.next()))
                return "records differ";
        return left.hasNext() || right.hasNext() ? "record counts differ" : null;
    }

    static MutableRecordBatch only(byte[] bytes) {
        Iterator<MutableRecordBatch> batches =
            MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches().iterator();
        MutableRecordBatch batch = batches.next();
        if (batches.hasNext())
            throw new IllegalStateException("more than one batch");
        return batch;
    }

    // ---- golden files

    /** One file a batch: what it must decode to, then its bytes. */
    static final class Golden {
        static final long TIME = 1700000000000L;
        final Path directory;

        Golden(Path directory) {
            this.directory = directory;
        }

        void write() throws IOException {
            Files.createDirectories(directory);
            for (CompressionType type : CompressionType.values()) {
                put("mixed_" + type.name, Compression.of(type).build(), -1, mixed());
                if (type != CompressionType.NONE)
                    put("large_" + type.name, Compression.of(type).build(), -1, large());
                put("idempotent_" + type.name, Compression.of(type).build(), 42, mixed());
            }
            put("mixed_gzip_9", Compression.gzip().level(9).build(), -1, mixed());
            put("mixed_lz4_17", Compression.lz4().level(17).build(), -1, mixed());
            put("large_zstd_22", Compression.zstd().level(22).build(), -1, large());
            rawSnappy();
            logAppendTime();
            marker();
        }

        /** Nulls, empties, headers, times that go back. */
        static List<SimpleRecord> mixed() {
            byte[] empty = new byte[0];
            Header[] headers = {new RecordHeader("a", "one".getBytes(StandardCharsets.UTF_8)),
                new RecordHeader("", empty), new RecordHeader("nothing", null),
                new RecordHeader("gr\u00fc\u00df", new byte[300])};
            return List.of(
                new SimpleRecord(TIME, "key".getBytes(StandardCharsets.UTF_8), "value".getBytes(StandardCharsets.UTF_8)),
                new SimpleRecord(TIME + 77, null, "no key".getBytes(StandardCharsets.UTF_8)),
                new SimpleRecord(TIME - 100000, "deleted".getBytes(StandardCharsets.UTF_8), null),
                new SimpleRecord(TIME + 5, empty, empty),
                new SimpleRecord(TIME + 77, (byte[]) null, null, headers),
                new SimpleRecord(TIME + 6, "last".getBytes(StandardCharsets.UTF_8), new byte[1000], headers));
        }

        /** Records that lie across the chunks in which a batch is decoded. */
        static List<SimpleRecord> large() {
            List<SimpleRecord> records = new ArrayList<>();
            for (int i = 0; i < 24; i++) {
                byte[] value = new byte[i == 11 ? 150000 : 9973];
                Arrays.fill(value, (byte) ('a' + i));
                records.add(new SimpleRecord(TIME + i, ("k" + i).getBytes(StandardCharsets.UTF_8), value));
            }
            return records;
        }

        void put(String name, Compression codec, long producerId, List<SimpleRecord> records)
                throws IOException {
            MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20),
                codec, 0L, producerId, (short) (producerId < 0 ? -1 : 5), producerId < 0 ? -1 : 17,
                producerId >= 0);
            records.forEach(builder::append);
            put(name, builder.build());
        }

        void put(String name, MemoryRecords records) throws IOException {
            ByteBuffer buffer = records.buffer().duplicate();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            put(name, bytes, only(bytes));
        }

        void put(String name, byte[] bytes, RecordBatch batch) throws IOException {
            StringBuilder text = new StringBuilder("# made by KafkaBatches.java\n");
            text.append(String.format("header %d %d %d %d %d %d %d %d %d%n", batch.baseOffset(),
                batch.lastOffset(), batch.partitionLeaderEpoch(), batch.compressionType().id,
                batch.maxTimestamp(), batch.producerId(), batch.producerEpoch(),
                batch.baseSequence(), batch.countOrNull()));
            for (Record record : batch) {
                text.append(String.format("record %d %d %s %s", record.offset(), record.timestamp(),
                    show(record.key()), show(record.value())));
                for (Header header : record.headers())
                    text.append(' ').append(show(ByteBuffer.wrap(
                        header.key().getBytes(StandardCharsets.UTF_8)))).append('=').append(
                        show(header.value() == null ? null : ByteBuffer.wrap(header.value())));
                text.append('\n');
            }
            String hex = HEX.formatHex(bytes);
            for (int i = 0; i < hex.length(); i += 96)
                text.append("bytes ").append(hex, i, Math.min(hex.length(), i + 96)).append('\n');
            Files.writeString(directory.resolve(name + ".txt"), text);
        }

        /** Null is ~; a long run of one byte is its hex, *, and how often. */
        static String show(ByteBuffer bytes) {
            if (bytes == null)
                return "~";
            byte[] b = new byte[bytes.remaining()];
            bytes.duplicate().get(b);
            for (int i = 1; i < b.length; i++)
                if (b[i] != b[0])
                    return "x" + HEX.formatHex(b);
            return b.length < 20 ? "x" + HEX.formatHex(b)
                : "x" + HEX.formatHex(b, 0, 1) + "*" + b.length;
        }

        /** One snappy block without the Java library's framing, as several clients send it. */
        void rawSnappy() throws IOException {
            MemoryRecords plain = MemoryRecords.withRecords(Compression.NONE,
                large().subList(0, 14).toArray(new SimpleRecord[0]));
            ByteBuffer in = plain.buffer().duplicate();
            byte[] header = new byte[61];
            in.get(header);
            byte[] body = new byte[in.remaining()];
            in.get(body);
            byte[] packed = Snappy.compress(body);
            ByteBuffer out = ByteBuffer.allocate(61 + packed.length);
            out.put(header).put(packed);
            out.putInt(8, out.capacity() - 12);
            out.putShort(21, (short) 2);
            CRC32C crc = new CRC32C();
            crc.update(out.array(), 21, out.capacity() - 21);
            out.putInt(17, (int) crc.getValue());
            put("raw_snappy", out.array(), only(out.array()));
        }

        void logAppendTime() throws IOException {
            MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16),
                RecordBatch.MAGIC_VALUE_V2, Compression.gzip().build(),
                TimestampType.LOG_APPEND_TIME, 500L, TIME + 999);
            mixed().forEach(builder::append);
            put("log_append_time", builder.build());
        }

        void marker() throws IOException {
            put("marker", MemoryRecords.withEndTransactionMarker(321L, TIME, 9, 42L, (short) 5,
                new EndTransactionMarker(ControlRecordType.COMMIT, 3)));
        }
    }
}
