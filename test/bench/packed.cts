/** What users install: the size of the packed package, and that it holds nothing but the product. */
import { packPackage } from '../package/packed.cjs';
import type { Row } from './rows.cjs';

const MARK_KB = 60;
/** Far off: what no download should be. */
const GROSS_KB = 90;
const NOT_OURS = /test|sandbox|bench|\.map$|\.ts$|tsbuildinfo/i;

export const packed: Row = {
	name: 'package',
	what: 'package',
	measure: async () => {
		const { bytes, files, remove } = packPackage();
		remove();
		const strange = files.filter((file) => NOT_OURS.test(file) && !file.endsWith('.d.ts'));
		const kilobytes = bytes / 1000;
		return await Promise.resolve({
			figures: [
				{
					name: 'Packed size',
					ours: `${kilobytes.toFixed(1)} kB`,
					beside: '',
					ratio: '',
					mark: `< ${MARK_KB} kB`,
					isMet: kilobytes < MARK_KB,
					isGross: kilobytes >= GROSS_KB,
				},
				{
					name: `Files of tests or of the sandbox, and source maps, among ${files.length}`,
					ours: strange.length ? strange.join(', ') : '0',
					beside: '',
					ratio: '',
					mark: '0',
					isMet: strange.length === 0,
					isGross: strange.length > 0,
				},
			],
			note: 'As `npm pack` makes it.',
		});
	},
};
