FROM node:24-slim AS packages
WORKDIR /app
# The lock file has the version and the digest of every package. All with machine code bring it ready-made: nothing is compiled.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
# What only compilers and debuggers read is half of the bytes.
RUN find node_modules -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.[cm]ts' ')' -delete

FROM node:24-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="slipway" \
      org.opencontainers.image.description="Takes virtual machine images in, finds out what they are, stores them as OCI images and hands them out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY migrations ./migrations
COPY deploy/presets ./deploy/presets
COPY src ./src
RUN mkdir /data && chown 1000:1000 /data
# `node`, as a number: Kubernetes cannot tell from a name that it is not root.
USER 1000:1000
# Inside a container the listener must be reachable; publish the port on loopback, or put a proxy in front.
ENV NODE_ENV=production \
    SLIPWAY_LISTEN=0.0.0.0:8080 \
    SLIPWAY_AUTH=none \
    SLIPWAY_PUBLIC_URL=http://127.0.0.1:8080 \
    SLIPWAY_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
# A companion's is ["node", "src/main.ts", "health", "controller"].
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["node", "/app/src/main.ts", "health"]
# The program ends by it as it should, also as process 1: it has handlers of its own, and no children to wait for.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD ["serve"]
