// The package as n8n loads it: from the installed tarball, with its node, credential and icons.
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isRecord } from '../sandbox/server.cjs';
import { CREDENTIAL_TYPE, NODE_TYPE, world } from './world.cjs';

function urlsIn(value: unknown): string[] {
	if (typeof value === 'string') return [value];
	return isRecord(value) ? Object.values(value).flatMap(urlsIn) : [];
}

export function installedSuite() {
	it('is a copy of the tarball in the folder of community nodes', () => {
		const folder = join(
			world().n8n.userFolder,
			'.n8n',
			'nodes',
			'node_modules',
			'n8n-nodes-seedance',
		);
		expect(lstatSync(folder).isSymbolicLink()).toBe(false);
		const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
		expect(manifest).toMatchObject({ name: 'n8n-nodes-seedance' });
	});

	it('offers the node under its full name, with the five operations and as a tool', async () => {
		const nodes = await world().api.nodeTypes();
		const seedance = nodes.find(({ name }) => name === NODE_TYPE);
		const operations = seedance?.properties.find(({ name }) => name === 'operation');
		expect(seedance?.displayName).toBe('Seedance');
		expect(
			operations?.options?.flatMap((option) => ('value' in option ? [option.value] : [])),
		).toEqual(
			expect.arrayContaining(['generateAndWait', 'generate', 'estimateCost', 'status', 'wait']),
		);
		expect(nodes.map(({ name }) => name)).toContain(`${NODE_TYPE}Tool`);
	});

	it('offers the credential, with the key as a password', async () => {
		const types = await world().api.credentialTypes();
		const found = types.find(({ name }) => name === CREDENTIAL_TYPE);
		expect(found).toMatchObject({
			displayName: 'Seedance API',
			properties: expect.arrayContaining([
				expect.objectContaining({ name: 'apiKey', typeOptions: { password: true } }),
				expect.objectContaining({ name: 'baseUrl', default: 'https://seedanceapi.org/v1' }),
			]),
		});
	});

	it.each(['node', 'credential'] as const)(
		'has icons for the %s, light and dark, that n8n gives out',
		async (kind) => {
			const { api } = world();
			const found =
				kind === 'node'
					? (await api.nodeTypes()).find(({ name }) => name === NODE_TYPE)
					: (await api.credentialTypes()).find(({ name }) => name === CREDENTIAL_TYPE);
			const urls = urlsIn(found?.iconUrl);
			expect(urls).toHaveLength(2);
			const icons = await Promise.all(urls.map(async (url) => await api.fileOf(url)));
			expect(icons).toEqual([expect.stringContaining('<svg'), expect.stringContaining('<svg')]);
			expect(icons[0]).not.toBe(icons[1]);
		},
	);
}
