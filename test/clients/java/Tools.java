// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.internals.Exit;

/**
 * Kafka's own tools, one after another in one process, as starting Java costs more than most of
 * them do. A line of standard input is a JSON object: the main class, its arguments and what it
 * reads; its answer is a line too: the exit code and all that was printed.
 *
 * <p>Each run has the tools' classes loaded anew, because some count in static fields; what they
 * call to exit ends the run, and what they would have done at the end of the process is done at the
 * end of the run. The verifiable producer and consumers end the process by other means: they need
 * one of their own.
 */
final class Tools {
    private static final String PACKAGE = "org.apache.kafka.tools.";

    /** Instead of the end of the process. Some tools catch and print it, which nobody sees. */
    private static final class Ended extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private static final class FreshTools extends URLClassLoader {
        FreshTools(URL jar) {
            super(new URL[] {jar}, Tools.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(PACKAGE)
                    || findResource(name.replace('.', '/') + ".class") == null)
                return super.loadClass(name, resolve);
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : findClass(name);
            }
        }
    }

    private Integer code; // of the first exit: what follows it is only how the exception gets out
    private final List<Runnable> atEnd = new ArrayList<>();

    private Tools() {
        Exit.setExitProcedure((status, message) -> end(status));
        Exit.setHaltProcedure((status, message) -> end(status));
        Exit.setShutdownHookAdder((name, hook) -> atEnd.add(hook));
    }

    public static void main(String[] args) throws Exception {
        Tools tools = new Tools();
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = System.out;
        var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            var printed = new ByteArrayOutputStream();
            int code = tools.run(
                    json.readTree(line), new PrintStream(printed, true, StandardCharsets.UTF_8));
            answers.println(json.writeValueAsString(
                    Map.of("code", code, "out", printed.toString(StandardCharsets.UTF_8))));
        }
        System.exit(0); // a tool may have left threads behind
    }

    private void end(int status) {
        if (code == null)
            code = status;
        print(new PrintStream(OutputStream.nullOutputStream()));
        throw new Ended();
    }

    private static void print(PrintStream out) {
        System.setOut(out);
        System.setErr(out);
    }

    private int run(JsonNode request, PrintStream out) {
        List<String> args = new ArrayList<>();
        request.get("args").forEach(arg -> args.add(arg.asText()));
        code = null;
        atEnd.clear();
        print(out);
        System.setIn(new ByteArrayInputStream(
                request.get("given").asText().getBytes(StandardCharsets.UTF_8)));
        String main = request.get("main").asText();
        URL jar = org.apache.kafka.tools.TopicCommand.class.getProtectionDomain()
                          .getCodeSource()
                          .getLocation();
        FreshTools tools = new FreshTools(jar);
        Thread.currentThread().setContextClassLoader(tools);
        try {
            tools.loadClass(PACKAGE + main)
                    .getMethod("main", String[].class)
                    .invoke(null, (Object) args.toArray(new String[0]));
        } catch (InvocationTargetException e) {
            if (code == null) { // as Java itself says it, and exits with
                e.getCause().printStackTrace(out);
                code = 1;
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException(main, e);
        }
        int result = code == null ? 0 : code;
        print(out);
        atEnd.forEach(Runnable::run);
        return result;
    }
}
