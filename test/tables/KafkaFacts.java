// SPDX-License-Identifier: Apache-2.0
/*
 * KafkaFacts: prints what the Kafka jars on the class path say, one fact a line, tab-separated, for compare.py.
 *
 *   error  <code> <name> <retriable>
 *   broker <name> <type> <default> <dynamic mode> <internal> <validator>
 *   dynamic <name> <type> <default> <validator>   what a broker takes only while it runs
 *   topic  <name> <type> <default> <internal> <validator> <server key:function,...>
 *   group  <name> <type> <default> <internal> <validator> <server key:1>
 *
 * An absent default is written "-", an empty one "(empty)".
 *
 * With the argument "values" it judges configs instead: for each line "kind<TAB>key<TAB>value" of standard input "ok" and the
 * value as Kafka shows it, or "bad". The kinds are "topic", "group" and "loose": a group on a broker with the keys in LOOSE.
 */
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public final class KafkaFacts {
    // Bounds that leave room for a session shorter than a heartbeat. The same stands in config_values.c.
    private static final Map<String, String> LOOSE = Map.of(
        "group.consumer.min.session.timeout.ms", "1000", "group.consumer.max.heartbeat.interval.ms", "44000",
        "group.share.min.session.timeout.ms", "1000", "group.share.max.heartbeat.interval.ms", "44000",
        "group.streams.min.session.timeout.ms", "1000", "group.streams.max.heartbeat.interval.ms", "44000",
        "group.share.session.timeout.ms", "20000", "group.streams.max.standby.replicas", "7");

    private static final AbstractConfig BROKER = broker(Map.of());
    private static final AbstractConfig LOOSE_BROKER = broker(LOOSE);

    private static String text(Object value) {
        if (value == null || value == ConfigDef.NO_DEFAULT_VALUE) {
            return "-";
        }
        String s = value instanceof List<?> list
            ? String.join(",", list.stream().map(String::valueOf).toList())
            : String.valueOf(value);
        return s.isEmpty() ? "(empty)" : s.replace("\t", "\\t").replace("\n", "\\n");
    }

    private static void line(Object... fields) {
        List<String> out = new ArrayList<>();
        for (Object field : fields) {
            out.add(text(field));
        }
        System.out.println(String.join("\t", out));
    }

    private static AbstractConfig broker(Map<String, String> keys) {
        ConfigDef def = new ConfigDef(GroupCoordinatorConfig.CONFIG_DEF);
        for (ConfigDef.ConfigKey key : ShareGroupConfig.CONFIG_DEF.configKeys().values()) {
            def.define(key);
        }
        return new AbstractConfig(def, keys, false);
    }

    private static void errors() {
        for (Errors e : Errors.values()) {
            boolean retriable = e.exception() instanceof RetriableException;
            line("error", e.code(), e.name(), retriable);
        }
    }

    private static void broker() throws ReflectiveOperationException {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        ConfigDef def = (ConfigDef) Class.forName("kafka.server.KafkaConfig").getMethod("configDef").invoke(null);
        for (ConfigDef.ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
            line("broker", key.name, key.type, key.defaultValue, modes.getOrDefault(key.name, "read-only"),
                key.internalConfig, key.validator);
        }
    }

    private static void dynamic() {
        for (ConfigDef.ConfigKey key : new TreeMap<>(QuotaConfig.brokerQuotaConfigs().configKeys()).values()) {
            line("dynamic", key.name, key.type, key.defaultValue, key.validator);
        }
    }

    private static String synonyms(String name) {
        List<ConfigSynonym> list = ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.get(name);
        List<String> out = new ArrayList<>();
        for (ConfigSynonym synonym : list == null ? List.<ConfigSynonym>of() : list) {
            // The function cannot be printed, so it is shown by what it makes of 1.
            out.add(synonym.name() + ":" + synonym.converter().apply("1"));
        }
        return String.join(",", out);
    }

    private static void topic() throws ReflectiveOperationException {
        Field field = LogConfig.class.getDeclaredField("CONFIG");
        field.setAccessible(true);
        ConfigDef def = (ConfigDef) field.get(null);
        for (ConfigDef.ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
            line("topic", key.name, key.type, key.defaultValue, key.internalConfig, key.validator, synonyms(key.name));
        }
    }

    private static void group() {
        for (ConfigDef.ConfigKey key : new TreeMap<>(GroupConfig.CONFIG_DEF.configKeys()).values()) {
            line("group", key.name, key.type, key.defaultValue, key.internalConfig, key.validator,
                GroupConfig.brokerSynonym(key.name).map(name -> name + ":1").orElse(""));
        }
    }

    private static String judge(String kind, String key, String value) {
        Map<String, String> one = Map.of(key, value);
        try {
            if (!kind.equals("topic")) {
                AbstractConfig broker = kind.equals("loose") ? LOOSE_BROKER : BROKER;
                GroupConfig.validate(one, new GroupCoordinatorConfig(broker), new ShareGroupConfig(broker));
                ConfigDef.Type type = GroupConfig.configType(key).orElseThrow();
                return "ok\t" + ConfigDef.convertToString(GroupConfig.CONFIG_DEF.parse(one).get(key), type);
            }
            LogConfig.validate(one);
            ConfigDef.Type type = LogConfig.configType(key).orElseThrow();
            return "ok\t" + ConfigDef.convertToString(new LogConfig(one).values().get(key), type);
        } catch (ConfigException | ApiException e) {
            return "bad";
        }
    }

    private static void values() throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split("\t", 3);
            System.out.println(judge(fields[0], fields[1], fields[2]));
        }
    }

    public static void main(String[] args) throws ReflectiveOperationException, IOException {
        if (args.length > 0 && args[0].equals("values")) {
            values();
            return;
        }
        errors();
        broker();
        dynamic();
        topic();
        group();
    }
}
