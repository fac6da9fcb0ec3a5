// The package as n8n loads it: from the installed tarball, with its credential and icons.
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isRecord } from '../sandbox/server.cjs';
import { api, CREDENTIAL_TYPE, n8n, NODE_TYPE } from '../support/n8n/world.cjs';

function urlsIn(value: unknown): string[] {
	if (typeof value === 'string') return [value];
	return isRecord(value) ? Object.values(value).flatMap(urlsIn) : [];
}

describe('the installed package', () => {
	it('is a copy of the tarball in the folder of community nodes', () => {
		const folder = join(n8n.userFolder, '.n8n/nodes/node_modules/n8n-nodes-seedance');
		expect(lstatSync(folder).isSymbolicLink()).toBe(false);
		const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
		expect(manifest).toMatchObject({ name: 'n8n-nodes-seedance' });
	});

	it('offers the node and the credential, each with a light and a dark icon', async () => {
		const node = (await api.nodeTypes()).find(({ name }) => name === NODE_TYPE);
		const credential = (await api.credentialTypes()).find(({ name }) => name === CREDENTIAL_TYPE);
		expect(node?.displayName).toBe('Seedance');
		expect(credential).toMatchObject({
			displayName: 'Seedance API',
			properties: expect.arrayContaining([
				expect.objectContaining({ name: 'apiKey', typeOptions: { password: true } }),
				expect.objectContaining({ name: 'baseUrl', default: 'https://seedanceapi.org/v1' }),
			]),
		});
		for (const offered of [node, credential]) {
			const urls = urlsIn(offered?.iconUrl);
			const icons = await Promise.all(urls.map(async (url) => await api.fileOf(url)));
			expect(icons).toEqual([expect.stringContaining('<svg'), expect.stringContaining('<svg')]);
			expect(icons[0]).not.toBe(icons[1]);
		}
	});
});
