// SPDX-License-Identifier: Apache-2.0
/*
 * KafkaFacts: prints what the Kafka jars on the class path say, one fact a line, tab-separated, for compare.py.
 *
 *   error  <code> <name> <retriable>
 *   broker <name> <type> <default> <dynamic mode> <internal> <validator>
 *   topic  <name> <type> <default> <internal> <validator> <server key:function,...>
 *
 * An absent default is written "-", an empty one "(empty)".
 *
 * With the argument "values" it judges topic configs instead: for each line "key<TAB>value" of standard input "ok" and the
 * value as Kafka shows it, or "bad".
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
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public final class KafkaFacts {
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

    private static String judge(String key, String value) {
        Map<String, String> one = Map.of(key, value);
        try {
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
            int tab = line.indexOf('\t');
            System.out.println(judge(line.substring(0, tab), line.substring(tab + 1)));
        }
    }

    public static void main(String[] args) throws ReflectiveOperationException, IOException {
        if (args.length > 0 && args[0].equals("values")) {
            values();
            return;
        }
        errors();
        broker();
        topic();
    }
}
