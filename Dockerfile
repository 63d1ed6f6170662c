FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY src ./src
COPY migrations ./migrations
COPY deploy/presets ./deploy/presets
RUN mkdir /data && chown node:node /data
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
# Its own certificate is not for loopback, so it is not looked at.
HEALTHCHECK CMD ["node", "-e", "require(process.env.SLIPWAY_TLS_CERT ? 'https' : 'http').get({ port: 8080, path: '/healthz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
