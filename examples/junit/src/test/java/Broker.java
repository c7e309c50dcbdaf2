// SPDX-License-Identifier: Apache-2.0
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A broker for tests: klamm serve --ephemeral, in memory, on a free port, gone with this JVM. Put
 * &#64;ExtendWith(Broker.Extension.class) before a class and a Broker among a test's parameters: that is
 * one for all tests; let each use topics and groups of its own.
 */
final class Broker implements ExtensionContext.Store.CloseableResource, AutoCloseable {
    final String bootstrapServers;
    private final Process process;
    private final String pages;

    /** One of its own, for a test that moves the clock: what others sent would be old by that. */
    Broker() throws IOException {
        // KLAMM: where the program is, when it is not in the PATH.
        String program = System.getenv().getOrDefault("KLAMM", "klamm");
        process = new ProcessBuilder(List.of(program, "serve", "--ephemeral", "--until-stdin-ends",
                "--set", "klamm.log.level=WARN",
                "--set", "log.retention.hours=24")) // any key of server.properties
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream()));
        bootstrapServers = out.readLine();
        pages = out.readLine();
        if (pages == null)
            throw new IOException(program + " did not start");
    }

    /** Lets time pass for the broker, at once. */
    void advance(Duration time) throws IOException, InterruptedException {
        URI uri = URI.create(pages + "/clock/advance?ms=" + time.toMillis());
        HttpRequest request = HttpRequest.newBuilder(uri)
                .POST(HttpRequest.BodyPublishers.noBody()).build();
        int status = HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).statusCode();
        if (status != 200)
            throw new IOException("HTTP status " + status);
    }

    @Override
    public void close() throws Exception {
        process.getOutputStream().close();
        process.waitFor();
    }

    static final class Extension implements ParameterResolver {
        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == Broker.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            ExtensionContext.Store store =
                    context.getRoot().getStore(ExtensionContext.Namespace.GLOBAL);
            return store.getOrComputeIfAbsent(Broker.class, key -> {
                try {
                    return new Broker();
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
    }
}
