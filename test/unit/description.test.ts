/** The description of the node, where one fact has to stand in two places. */
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { OPERATION_OPTIONS } from '../../nodes/Seedance/fields';

describe('the node on the canvas', () => {
	const { subtitle } = new Seedance().description;

	it.each(OPERATION_OPTIONS.map(({ name, value }) => [String(value), name]))(
		'shows %s by the name that the list of operations gives it',
		(value, name) => {
			expect(subtitle).toContain(`${value}: "${name}"`);
		},
	);

	it('names no operation that does not exist', () => {
		expect(subtitle?.match(/\w+: "/g)).toHaveLength(OPERATION_OPTIONS.length);
	});
});
