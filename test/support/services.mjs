/**
 * Finds the servers that n8n's queue mode needs beside n8n: Redis and PostgreSQL. They are only programs here; whoever
 * needs them starts them on ports and in folders of its own.
 *
 *     node test/support/services.mjs
 *
 * prints one line of JSON on stdout that says where they are.
 */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InstallError } from './packages.mjs';

/** Debian keeps PostgreSQL's programs here, off the PATH, in one folder for each version. */
const DEBIAN_POSTGRES = '/usr/lib/postgresql';

/** The programs' paths. Throws InstallError with one sentence when one is missing. */
export function findServices() {
	const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
	const newestFirst = existsSync(DEBIAN_POSTGRES)
		? readdirSync(DEBIAN_POSTGRES).sort((one, other) => Number(other) - Number(one))
		: [];
	const debian = newestFirst.map((version) => join(DEBIAN_POSTGRES, version, 'bin'));
	const redis = onPath.find((folder) => isProgram(folder, 'redis-server'));
	// Both programs from one folder: they have to be of one version.
	const postgres = [...onPath, ...debian].find((folder) =>
		['initdb', 'postgres'].every((name) => isProgram(folder, name)),
	);
	if (!redis || !postgres) {
		throw new InstallError(
			"Tests of n8n's queue mode need `redis-server`, and PostgreSQL's `initdb` and `postgres`, on the PATH. On Debian: apt-get install redis-server postgresql.",
		);
	}
	return {
		redis: join(redis, 'redis-server'),
		postgres: { server: join(postgres, 'postgres'), initdb: join(postgres, 'initdb') },
	};
}

function isProgram(folder, name) {
	try {
		accessSync(join(folder, name), constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	try {
		process.stdout.write(`${JSON.stringify(findServices())}\n`);
	} catch (error) {
		process.stderr.write(`${error.message}\n`);
		process.exitCode = 1;
	}
}
